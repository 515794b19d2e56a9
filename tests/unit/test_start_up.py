"""What commands load: most of the time of a short command goes into imports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.store_repos import RepoBuilder, finetui_project

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"pydantic", "polars", "duckdb", "dvc", "textual", "torch", "numpy", "scipy", "pandas", "transformers"}
SLOW = {"importlib.metadata", "asyncio", "psutil", "tui.dvc.runner", "pipeline.contract.params"}
"""Not heavy, but more than these commands need."""
PROGRAM = """
import json, sys
from tui.__main__ import main
code = None
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print()
print(json.dumps([code, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    return finetui_project(tmp_path_factory.mktemp("start") / "p", num_experiments=3)


def modules_of(root: Path, *arguments: str) -> set[str]:
    """Modules that a command has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "-C", str(root), *arguments],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, names = json.loads(done.stdout.splitlines()[-1])
    assert not code, done.stderr
    return set(names)


@pytest.mark.parametrize(
    "arguments",
    [
        ("experiments", "--json"),
        ("experiments",),
        ("experiments", "--csv", "--sort", "test/exact_match"),
        ("experiments", "--json", "--filter", "method=lora"),
        ("show", "exp-0001", "--json"),
    ],
)
def test_reading_loads_nothing_heavy(builder: RepoBuilder, arguments: tuple[str, ...]) -> None:
    allowed = {"numpy"} if arguments[0] == "show" else set()  # of which the events are read
    assert HEAVY & modules_of(builder.root, *arguments) <= allowed


def test_the_list_as_json_loads_what_it_needs(builder: RepoBuilder) -> None:
    modules_of(builder.root, "experiments", "--json")
    names = modules_of(builder.root, "experiments", "--json")
    assert not SLOW & names
    assert not {name for name in names if name.startswith(("tui.core.columns", "tui.core.filters", "tui.core.methods"))}
    assert "tui.store.git.row_cache" in names


def test_the_version_loads_no_store(builder: RepoBuilder) -> None:
    names = modules_of(builder.root, "--version")
    assert not HEAVY & names
    assert not {name for name in names if name.startswith(("tui.store", "tui.dvc", "pygit2", "yaml"))}


def test_a_project_with_runs_does_not_load_what_launches_them(builder: RepoBuilder) -> None:
    run = builder.root / ".dvc/tmp/finetui/runs/20260101-000000-1-abcdef"
    run.mkdir(parents=True)
    try:
        names = modules_of(builder.root, "experiments", "--json")
    finally:
        run.rmdir()
    assert "tui.dvc.runner" in names
    assert not HEAVY & names
    assert not {"tui.dvc.launch", "tui.dvc.planning", "pipeline.contract.params"} & names
