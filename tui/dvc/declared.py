"""The stages of a project as its dvc.yaml files declare them, read without DVC.

Templates (`${...}`, foreach, matrix) are left to DVC: such a stage is marked, and nothing is said of its files.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.contract.paths import PARAMS_FILE, PIPELINE_FILE
from pipeline.contract.yaml12 import load_yaml
from tui.core.errors import UserError

_OUTPUT_KINDS = ("outs", "metrics", "plots")
_SECTIONS = ("deps", "params", *_OUTPUT_KINDS)


@dataclass(frozen=True, slots=True)
class Output:
    """One declared output."""

    path: str
    """Relative to the root of the project."""
    is_cached: bool
    """Whether DVC keeps it; otherwise Git does."""


@dataclass(frozen=True, slots=True)
class DeclaredStage:
    """One entry of `stages:`."""

    name: str
    """As DVC addresses it: `train`, or `sub/dvc.yaml:train`."""
    file: str
    """Its dvc.yaml, relative to the root."""
    key: str
    """Its name in that file."""
    wdir: str
    """Folder that its command runs in, relative to the root."""
    commands: tuple[str, ...]
    deps: tuple[str, ...]
    """Relative to the root."""
    params: dict[str, tuple[str, ...]]
    """File, relative to the root -> keys; no keys stand for the whole file."""
    outputs: tuple[Output, ...]
    is_templated: bool
    always_runs: bool
    """It has no deps, or says so."""
    is_frozen: bool


def read_stages(root: Path, files: Sequence[str] = (str(PIPELINE_FILE),)) -> list[DeclaredStage]:
    """Stages of the given dvc.yaml files in pipeline order; UserError when one does not parse."""
    stages = [stage for file in files for stage in _read_file(root, file)]
    return _ordered(stages)


def upstream_closure(stages: Sequence[DeclaredStage], names: Sequence[str]) -> list[DeclaredStage]:
    """The named stages and everything they depend on, in pipeline order."""
    wanted: set[str] = set()
    pending = list(names)
    by_name = {stage.name: stage for stage in stages}
    while pending:
        name = pending.pop()
        if name in by_name and name not in wanted:
            wanted.add(name)
            pending.extend(producers(by_name[name], stages))
    return [stage for stage in stages if stage.name in wanted]


def producers(stage: DeclaredStage, stages: Sequence[DeclaredStage]) -> list[str]:
    """Names of the stages whose outputs a stage reads."""
    return [
        other.name
        for other in stages
        if other is not stage and any(overlaps(dep, out.path) for dep in stage.deps for out in other.outputs)
    ]


def overlaps(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is inside the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _read_file(root: Path, file: str) -> Iterator[DeclaredStage]:
    path = root / file
    try:
        value = load_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file} does not parse", f"{path}: {reason}", "correct the file") from error
    stages = value.get("stages") if isinstance(value, dict) else None
    if value is not None and (not isinstance(value, dict) or not isinstance(stages or {}, dict)):
        raise UserError(f"{file} is not as DVC wants it", f"{path}: stages must be a mapping", "correct the file")
    for key, definition in (stages or {}).items():
        if not isinstance(definition, dict):
            raise UserError(
                f"{file} is not as DVC wants it", f"{path}: stage {key} must be a mapping", "correct the file"
            )
        yield _read_stage(file, str(key), definition)


def _read_stage(file: str, key: str, definition: dict[str, Any]) -> DeclaredStage:
    name = key if file == str(PIPELINE_FILE) else f"{file}:{key}"
    if _is_templated(definition):
        return DeclaredStage(name, file, key, ".", (), (), {}, (), True, False, False)
    wdir = _join(str(Path(file).parent), str(definition.get("wdir") or "."))
    sections = {section: _entries(file, key, section, definition.get(section)) for section in _SECTIONS}
    deps = tuple(_join(wdir, str(dep)) for dep in sections["deps"])
    params = _read_params(file, key, sections["params"], wdir)
    return DeclaredStage(
        name,
        file,
        key,
        wdir,
        _read_commands(definition.get("cmd")),
        deps,
        params,
        tuple(_read_outputs(sections, wdir)),
        False,
        bool(definition.get("always_changed")) or not (deps or params),
        bool(definition.get("frozen")),
    )


def _entries(file: str, key: str, section: str, value: Any) -> list[Any]:
    """The list that a section of a stage is; empty when there is none."""
    if value is not None and not isinstance(value, list):
        detail = f"stage {key}: {section} must be a list"
        raise UserError(f"{file} is not as DVC wants it", detail, "correct the file")
    return value or []


def _is_templated(value: Any) -> bool:
    if isinstance(value, dict):
        return "foreach" in value or "matrix" in value or any(map(_is_templated, [*value, *value.values()]))
    if isinstance(value, list):
        return any(map(_is_templated, value))
    return isinstance(value, str) and "${" in value


def _read_commands(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _read_params(file: str, key: str, entries: list[Any], wdir: str) -> dict[str, tuple[str, ...]]:
    """Entries are keys of params.yaml, or mappings from a file to its keys; a file with none is tracked as a whole."""
    found: dict[str, tuple[str, ...]] = {}
    default = _join(wdir, str(PARAMS_FILE))
    for entry in entries:
        if isinstance(entry, dict):
            for name, keys in entry.items():
                found[_join(wdir, str(name))] = tuple(map(str, _entries(file, key, f"params of {name}", keys)))
        else:
            found[default] = (*found.get(default, ()), str(entry))
    return found


def _read_outputs(sections: dict[str, list[Any]], wdir: str) -> Iterator[Output]:
    for kind in _OUTPUT_KINDS:
        for entry in sections[kind]:
            pairs = entry.items() if isinstance(entry, dict) else [(entry, {})]
            for path, options in pairs:
                is_cached = not (isinstance(options, dict) and options.get("cache") is False)
                yield Output(_join(wdir, str(path)), is_cached)


def _join(folder: str, path: str) -> str:
    return os.path.normpath(f"{folder}/{path}") if not path.startswith("/") else path


def _ordered(stages: list[DeclaredStage]) -> list[DeclaredStage]:
    """Producers before consumers, otherwise as in the files; a cycle, which DVC refuses, stays in file order."""
    ordered: list[DeclaredStage] = []
    pending = list(stages)
    while pending:
        waiting_for = {stage.name for stage in pending}
        ready = [stage for stage in pending if not waiting_for & set(producers(stage, pending))]
        chosen = ready[0] if ready else pending[0]
        ordered.append(chosen)
        pending.remove(chosen)
    return ordered
