"""Which stages a run would execute, and why: dvc.lock against what the run will see, without starting DVC."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipeline.contract import paths
from pipeline.contract.run_record import decode_run_record
from pipeline.contract.yaml12 import load_yaml
from tui.core.experiments import flatten
from tui.core.runs import Reason, StagePlan
from tui.dvc.declared import DeclaredStage, overlaps, producers, read_stages, upstream_closure
from tui.dvc.hashing import Cache, TrackedFiles, UnknownHashError
from tui.dvc.results import pipeline_files

_MAX_CHANGES = 4
_CODE_SUFFIXES = frozenset({".py", ".sh", ".ipynb", ".toml", ".cfg", ".sql", ".jinja", ".r", ".jl"})

_READABLE = frozenset({".yaml", ".yml", ".json", ".lock"})

Verdict = tuple[Reason, str]


@dataclass(slots=True)
class _View:
    """What a run will see, and what is decided so far."""

    root: Path
    files: TrackedFiles
    cache: Cache
    params: Mapping[str, str]
    """File -> text that replaces the one in the work tree."""
    stages: list[DeclaredStage]
    will_run: set[str] = field(default_factory=set)
    locks: dict[str, dict[str, Any]] = field(default_factory=dict)

    def lock_of(self, stage: DeclaredStage) -> dict[str, Any] | None:
        """The stage's entry in dvc.lock."""
        file = str(Path(stage.file).with_name(paths.LOCK_FILE.name))
        if file not in self.locks:
            self.locks[file] = _load(self.root / file).get("stages") or {}
        entry = self.locks[file].get(stage.key)
        return entry if isinstance(entry, dict) else None


def plan_stages(root: Path, replaced: Mapping[str, str], targets: Sequence[str], force: bool) -> tuple[StagePlan, ...]:
    """The plan for a work tree in which some files have other contents (path -> text)."""
    stages = read_stages(root, pipeline_files(root))
    if targets:
        stages = upstream_closure(stages, [target.split("@")[0] for target in targets])
    view = _View(root, TrackedFiles(root, dict(replaced)), Cache(root), replaced, stages)
    return tuple(_plan_stage(stage, view, force) for stage in stages)


def is_up_to_date(root: Path, targets: Sequence[str]) -> bool:
    """Whether every stage's results are there and belong to its params, code and data."""
    plan = plan_stages(root, {}, targets, force=False)
    return bool(plan) and not any(stage.will_run for stage in plan)


def _plan_stage(stage: DeclaredStage, view: _View, force: bool) -> StagePlan:
    verdict = _verdict(stage, view, force)
    if verdict is not None:
        view.will_run.add(stage.name)
    reason, detail = verdict or (None, "")
    return StagePlan(stage.name, verdict is not None, reason, detail, _expected_s(view.root, stage))


def _verdict(stage: DeclaredStage, view: _View, force: bool) -> Verdict | None:
    if force:
        return "forced", "runs also when it is up to date"
    if stage.is_templated:
        return "unknown", "its definition is a template, which only DVC can tell"
    try:
        lock = view.lock_of(stage)
        if lock is None:
            return "new", "it has not run yet"
        if stage.always_runs:
            return "forced", "it is declared to run always"
        return (
            _changed_command(stage, lock)
            or _changed_params(stage, lock, view)
            or (None if stage.is_frozen else _changed_deps(stage, lock, view))
            or _changed_outputs(stage, lock, view)
        )
    except UnknownHashError as error:
        return "unknown", str(error)


def _changed_command(stage: DeclaredStage, lock: Mapping[str, Any]) -> Verdict | None:
    old = lock.get("cmd")
    known = tuple(map(str, old)) if isinstance(old, list) else (str(old),)
    return None if known == stage.commands else ("code", "its command changed")


def _changed_params(stage: DeclaredStage, lock: Mapping[str, Any], view: _View) -> Verdict | None:
    changes: list[str] = []
    for file, keys in stage.params.items():
        old = (lock.get("params") or {}).get(_relative(file, stage.wdir)) or {}
        now = _load_text(view.params[file]) if file in view.params else _load(view.root / file)
        for key in keys or tuple(dict.fromkeys((*now, *old))):
            changes.extend(_differences(key, old.get(key, _MISSING), _value_at(now, key)))
    if not changes:
        return None
    more = f" and {len(changes) - _MAX_CHANGES} more" if len(changes) > _MAX_CHANGES else ""
    return "params", ", ".join(changes[:_MAX_CHANGES]) + more


def _changed_deps(stage: DeclaredStage, lock: Mapping[str, Any], view: _View) -> Verdict | None:
    recorded = _recorded(lock, "deps")
    first = [name for name in producers(stage, view.stages) if name in view.will_run]
    for dep in stage.deps:
        old = recorded.get(_relative(dep, stage.wdir))
        if old is None:
            return _kind_of(dep, view), f"{dep} is a new dependency"
        maker = _maker_of(dep, view)
        if maker is not None and maker.name in view.will_run:
            continue
        now = _made_hash(dep, maker, view) if maker is not None else view.files.hash_of(dep)
        if now is None and any(other.is_templated for other in view.stages):
            raise UnknownHashError(f"{dep} may come from a stage that is a template")
        if now != _md5(old, dep):
            gone = "is missing" if now is None else "changed"
            return ("upstream" if maker is not None else _kind_of(dep, view)), f"{dep} {gone}"
    return ("upstream", f"{', '.join(first)} will run") if first else None


def _changed_outputs(stage: DeclaredStage, lock: Mapping[str, Any], view: _View) -> Verdict | None:
    recorded = _recorded(lock, "outs")
    for out in stage.outputs:
        old = recorded.get(_relative(out.path, stage.wdir))
        if old is None:
            return "code", f"{out.path} is a new output"
        md5 = _md5(old, out.path)
        if out.is_cached and not view.cache.has(md5):
            return "data", f"{out.path} is not in the cache"
        if not out.is_cached and view.files.hash_of(out.path) != md5:
            return "data", f"{out.path} is not the result of the last run"
    return None


def _maker_of(dep: str, view: _View) -> DeclaredStage | None:
    for stage in view.stages:
        for out in stage.outputs:
            if dep == out.path or dep.startswith(f"{out.path}/"):
                return stage
            if overlaps(dep, out.path):
                raise UnknownHashError(f"{dep} contains {out.path}, which is made by {stage.name}")
    return None


def _made_hash(dep: str, maker: DeclaredStage, view: _View) -> str | None:
    """Hash of an output, or of a file in it, of a stage that will not run."""
    for path, entry in _recorded(view.lock_of(maker) or {}, "outs").items():
        out = str(Path(maker.wdir) / path)
        if dep == out:
            return _md5(entry, dep)
        if dep.startswith(f"{out}/"):
            return view.cache.listing(_md5(entry, out)).get(dep.removeprefix(f"{out}/"))
    return None


def _recorded(lock: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {str(entry.get("path")): entry for entry in lock.get(kind) or () if isinstance(entry, dict)}


def _md5(entry: Mapping[str, Any], path: str) -> str:
    if entry.get("hash") != "md5" or "md5" not in entry:
        raise UnknownHashError(f"dvc.lock knows {path} in a way that only DVC understands")
    return str(entry["md5"])


def _kind_of(dep: str, view: _View) -> Reason:
    if view.files.is_added(dep) or dep.startswith("data/"):
        return "data"
    return "code" if not Path(dep).suffix or Path(dep).suffix.lower() in _CODE_SUFFIXES else "data"


_MISSING = object()


def _differences(key: str, old: Any, now: Any) -> list[str]:
    """Leaves that differ, as `train.lora.r: 16 -> 8`."""
    if isinstance(old, dict) and isinstance(now, dict):
        before, after = dict(flatten(old, key)), dict(flatten(now, key))
    else:
        before, after = {key: old}, {key: now}
    names = dict.fromkeys((*after, *before))
    pairs = ((name, before.get(name, _MISSING), after.get(name, _MISSING)) for name in names)
    return [f"{name}: {_text(one)} -> {_text(two)}" for name, one, two in pairs if not _equal(one, two)]


def _equal(one: Any, two: Any) -> bool:
    return one is not _MISSING and two is not _MISSING and bool(one == two)


def _text(value: Any) -> str:
    return "(none)" if value is _MISSING else "null" if value is None else str(value)


def _value_at(values: Any, key: str) -> Any:
    for part in key.split("."):
        if isinstance(values, dict) and part in values:
            values = values[part]
        elif isinstance(values, list) and part.isdigit() and int(part) < len(values):
            values = values[int(part)]
        else:
            return _MISSING
    return values


def _relative(path: str, wdir: str) -> str:
    return os.path.relpath(path, wdir) if not path.startswith("/") else path


def _load(path: Path) -> dict[str, Any]:
    if path.suffix not in _READABLE:
        raise UnknownHashError(f"{path.name} is of a kind that only DVC reads")
    try:
        return _load_text(path.read_bytes())
    except OSError:
        return {}


def _load_text(text: str | bytes) -> dict[str, Any]:
    try:
        value = load_yaml(text)
    except yaml.YAMLError as error:
        raise UnknownHashError(f"a file does not parse: {' '.join(str(error).split())}") from error
    return value if isinstance(value, dict) else {}


def _expected_s(root: Path, stage: DeclaredStage) -> float | None:
    """How long it took last time, if its run record says so."""
    try:
        record = decode_run_record((root / paths.metrics_dir(stage.key) / paths.RUN_RECORD_NAME).read_bytes())
    except OSError:
        return None
    return record.duration_s if record is not None and record.status == "done" else None
