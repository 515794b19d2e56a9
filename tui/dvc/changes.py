"""What changed about a stage since its entry in dvc.lock was written; the rules of DVC's own status."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tui.core.experiments import flatten
from tui.core.runs import Reason
from tui.dvc.declared import DeclaredStage, producers
from tui.dvc.view import MISSING, View, recorded, recorded_hash, relative

Verdict = tuple[Reason, str]

_MAX_CHANGES = 4
_CODE_SUFFIXES = frozenset({".py", ".sh", ".ipynb", ".toml", ".cfg", ".sql", ".jinja", ".r", ".jl"})


def find_change(stage: DeclaredStage, lock: Mapping[str, Any], view: View) -> Verdict | None:
    """The first reason to run a stage; None when it is up to date."""
    return find_cause(stage, lock, view) or _changed_outputs(stage, lock, view)


def find_cause(stage: DeclaredStage, lock: Mapping[str, Any], view: View) -> Verdict | None:
    """What a stage would be run with that its entry in dvc.lock was not; its outputs may be gone all the same."""
    return (
        _changed_command(stage, lock)
        or _changed_params(stage, lock, view)
        or (None if stage.is_frozen else _changed_deps(stage, lock, view))
    )


def _changed_command(stage: DeclaredStage, lock: Mapping[str, Any]) -> Verdict | None:
    old = lock.get("cmd")
    known = tuple(map(str, old)) if isinstance(old, list) else (str(old),)
    return None if known == stage.commands else ("code", "its command changed")


def _changed_params(stage: DeclaredStage, lock: Mapping[str, Any], view: View) -> Verdict | None:
    changes: list[str] = []
    for file, now in view.params_of(stage).items():
        old = (lock.get("params") or {}).get(relative(file, stage)) or {}
        keys = stage.params[file] or tuple(dict.fromkeys((*now, *old)))
        for key in keys:
            changes.extend(_differences(key, old.get(key, MISSING), now.get(key, MISSING)))
    if not changes:
        return None
    more = f" and {len(changes) - _MAX_CHANGES} more" if len(changes) > _MAX_CHANGES else ""
    return "params", ", ".join(changes[:_MAX_CHANGES]) + more


def _changed_deps(stage: DeclaredStage, lock: Mapping[str, Any], view: View) -> Verdict | None:
    known = recorded(lock, "deps", stage)
    for dep in stage.deps:
        if dep not in known:
            return _kind_of(dep, view), f"{dep} is a new dependency"
        maker = view.maker_of(dep)
        if maker is not None and maker.name in view.will_run:
            continue
        now = view.hash_of(dep)
        if now != recorded_hash(known[dep], dep):
            reason: Reason = "upstream" if maker is not None else _kind_of(dep, view)
            return reason, f"{dep} {'is missing' if now is None else 'changed'}"
    first = [name for name in producers(stage, view.stages) if name in view.will_run]
    return ("upstream", f"{', '.join(first)} will run") if first else None


def _changed_outputs(stage: DeclaredStage, lock: Mapping[str, Any], view: View) -> Verdict | None:
    known = recorded(lock, "outs", stage)
    for out in stage.outputs:
        if out.path not in known:
            return "code", f"{out.path} is a new output"
        md5 = recorded_hash(known[out.path], out.path)
        if out.is_cached and not view.cache.has(md5):
            return "data", f"{out.path} is not in the cache"
        if not out.is_cached and view.files.hash_of(out.path) != md5:
            return "data", f"{out.path} is not the result of the last run"
    return None


def _kind_of(dep: str, view: View) -> Reason:
    if view.files.is_added(dep) or dep.startswith("data/"):
        return "data"
    return "code" if not Path(dep).suffix or Path(dep).suffix.lower() in _CODE_SUFFIXES else "data"


def _differences(key: str, old: Any, now: Any) -> list[str]:
    """Leaves that differ, as `train.lora.r: 16 -> 8`."""
    if isinstance(old, dict) and isinstance(now, dict):
        before, after = dict(flatten(old, key)), dict(flatten(now, key))
    else:
        before, after = {key: old}, {key: now}
    pairs = ((name, before.get(name, MISSING), after.get(name, MISSING)) for name in dict.fromkeys((*after, *before)))
    return [f"{name}: {_text(one)} -> {_text(two)}" for name, one, two in pairs if not _equal(one, two)]


def _equal(one: Any, two: Any) -> bool:
    return one is not MISSING and two is not MISSING and bool(one == two)


def _text(value: Any) -> str:
    return "(none)" if value is MISSING else "null" if value is None else str(value)
