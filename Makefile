# finetui: setup, demo, test, check, bench. Every target makes the virtual environment first if it is missing.
PYTHON ?= python3
VENV ?= .venv
# The tested release. Installed first and by exact version: other packages then accept it as it is.
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin
CONSTRAINTS := .ci/constraints.txt
DEMO ?= demo
STAMP := $(VENV)/.installed

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export HF_HUB_DISABLE_TELEMETRY = 1
export DVC_NO_ANALYTICS = 1
export DO_NOT_TRACK = 1
export TOKENIZERS_PARALLELISM = false

.PHONY: help setup demo demo-quick test check format docs bench clean

help:
	@echo "make setup       virtual environment with pinned dependencies"
	@echo "make demo        run an experiment of every method in $(DEMO)/ and open them"
	@echo "make demo-quick  only the first four of them; make demo goes on from there"
	@echo "make test        all tests that need no more than Python, git and make"
	@echo "make check       format, lint, types, import contracts, docs"
	@echo "make bench       benchmarks, as ratios"

setup: $(STAMP)

$(STAMP): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit("finetui needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; try: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) "$(TORCH)"
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable ".[train]" --group dev
	@touch $(STAMP)

demo: setup
	$(BIN)/python -P -m tui.cli.demo $(DEMO)

demo-quick: setup
	$(BIN)/python -P -m tui.cli.demo $(DEMO) --quick

test: setup
	$(BIN)/python -m pytest -q --numprocesses auto --maxprocesses 8 --dist loadfile

check: setup
	$(BIN)/ruff format --check tui pipeline tests
	$(BIN)/ruff check tui pipeline tests
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pipeline.contract.reference --check docs/params.md
	$(BIN)/python -m pipeline.contract.methods --check docs/methods.md

format: setup
	$(BIN)/ruff format tui pipeline tests
	$(BIN)/ruff check --fix tui pipeline tests

docs: setup
	$(BIN)/python -m pipeline.contract.reference docs/params.md
	$(BIN)/python -m pipeline.contract.methods docs/methods.md

bench: setup
	@for script in tests/benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
