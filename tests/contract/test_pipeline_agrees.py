"""params.yaml, dvc.yaml, the schema, the list of stages and the stage files say the same thing."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.loading import load_params
from pipeline.contract.params import Params
from pipeline.contract.stages import STAGES
from pipeline.contract.yaml12 import load_yaml

ROOT = Path(__file__).parents[2]
NAMES = [stage.name for stage in STAGES]


def pipeline_file() -> dict[str, Any]:
    return load_yaml((ROOT / "dvc.yaml").read_text())["stages"]


def test_the_template_spells_out_every_default() -> None:
    written = load_yaml((ROOT / "params.yaml").read_text())
    assert written == Params().model_dump()
    assert load_params(ROOT / "params.yaml") == Params()


def test_stages_are_the_same_everywhere() -> None:
    files = {path.stem for path in (ROOT / "pipeline/stages").glob("*.py")} - {"__init__"}
    assert list(pipeline_file()) == NAMES
    assert files == set(NAMES)
    assert set(Params.model_fields) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_starts_its_own_module_and_tracks_its_own_section(name: str) -> None:
    stage = pipeline_file()[name]
    assert stage["cmd"] == f"python -m pipeline.stages.{name}"
    assert name in stage["params"]


@pytest.mark.parametrize("name", NAMES)
def test_every_module_that_a_stage_imports_is_a_dep(name: str) -> None:
    deps = pipeline_file()[name]["deps"]
    needed = set(imported_files(ROOT / f"pipeline/stages/{name}.py"))
    assert len(needed) > 3
    uncovered = {path for path in needed if not any(path == dep or path.startswith(dep + "/") for dep in deps)}
    assert uncovered == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_section_that_a_stage_reads_is_tracked(name: str) -> None:
    tracked = pipeline_file()[name]["params"]
    read = set(param_reads(ROOT / f"pipeline/stages/{name}.py"))
    assert read
    assert {key for key in read if not any(key == known or key.startswith(known + ".") for known in tracked)} == set()


def imported_files(path: Path) -> Iterator[str]:
    """First-party modules that a file imports, directly or not, relative to the root; bare packages are left out."""
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        if current.name != "__init__.py" or len(current.read_text().splitlines()) > 1:
            yield current.relative_to(ROOT).as_posix()
        waiting += [target for name in imported_names(current) for target in module_files(name)]


def imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pipeline"):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("pipeline"))


def module_files(name: str) -> list[Path]:
    base = ROOT.joinpath(*name.split("."))
    return [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]


def param_reads(path: Path) -> Iterator[str]:
    """What the code takes from a variable called `params`: whole sections, or keys as `base.dtype`."""
    attributes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
    parents = {id(node.value): node for node in attributes}
    for node in attributes:
        if isinstance(node.value, ast.Name) and node.value.id == "params":
            parent = parents.get(id(node))
            yield node.attr if parent is None else f"{node.attr}.{parent.attr}"
