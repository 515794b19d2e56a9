"""Which stages a run would execute, and why: dvc.lock and the run cache against what the run will see, without DVC."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.contract import paths
from pipeline.contract.run_record import decode_run_record
from tui.core.runs import StagePlan
from tui.dvc.changes import Verdict, find_cause, find_change
from tui.dvc.declared import DeclaredStage, overlaps, read_stages, upstream_closure
from tui.dvc.hashing import UnknownHashError
from tui.dvc.results import pipeline_files
from tui.dvc.runcache import find_result
from tui.dvc.view import MISSING, View, recorded, recorded_hash, relative

Find = Callable[[DeclaredStage, Mapping[str, Any], View], Verdict | None]
_UNTOLD = frozenset({"forced", "unknown"})
_RESTORED = "its results are in the cache"


def plan_stages(root: Path, replaced: Mapping[str, str], targets: Sequence[str], force: bool) -> tuple[StagePlan, ...]:
    """The plan for a work tree in which some files have other contents (path -> text)."""
    view = _open_view(root, replaced, targets)
    return tuple(_plan_stage(stage, view, force) for stage in view.stages)


def is_up_to_date(root: Path, targets: Sequence[str]) -> bool:
    """Whether every stage's results are there and belong to its params, code and data."""
    view = _open_view(root, {}, targets)
    return bool(view.stages) and all(_verdict(stage, view, force=False) is None for stage in view.stages)


def outdated_stages(root: Path, results: Sequence[str]) -> tuple[StagePlan, ...]:
    """Stages whose entries in dvc.lock belong to other params, code or data than those of the work tree, as far as
    that can be told; only those that the given result files come from. Outputs need not be in the cache."""
    view = _open_view(root, {}, ())
    makers = [
        stage.name for stage in view.stages if any(overlaps(out.path, one) for out in stage.outputs for one in results)
    ]
    found = []
    for stage in upstream_closure(view.stages, makers):
        verdict = _verdict(stage, view, force=False, find=find_cause)
        if verdict is not None and verdict[0] not in _UNTOLD:
            view.will_run.add(stage.name)
            found.append(StagePlan(stage.name, True, verdict[0], verdict[1], None))
        elif verdict is not None:
            with suppress(UnknownHashError):
                _know_outputs(stage, view.lock_of(stage) or {}, view)
    return tuple(found)


def _open_view(root: Path, replaced: Mapping[str, str], targets: Sequence[str]) -> View:
    stages = read_stages(root, pipeline_files(root))
    if targets:
        stages = upstream_closure(stages, [target.partition("@")[0] for target in targets])
    return View(root, stages, replaced)


def _plan_stage(stage: DeclaredStage, view: View, force: bool) -> StagePlan:
    expected_s = _expected_s(view.root, stage)
    verdict = _verdict(stage, view, force)
    if verdict is None:
        return StagePlan(stage.name, False, None, "", expected_s)
    if verdict[0] not in _UNTOLD and _is_restored(stage, view):
        return StagePlan(stage.name, False, None, _RESTORED, expected_s)
    view.will_run.add(stage.name)
    return StagePlan(stage.name, True, verdict[0], verdict[1], expected_s)


def _verdict(stage: DeclaredStage, view: View, force: bool, find: Find = find_change) -> Verdict | None:
    """Why the entry in dvc.lock does not do; None when it does, and then its outputs are known."""
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
        verdict = find(stage, lock, view)
        if verdict is None:
            _know_outputs(stage, lock, view)
    except UnknownHashError as error:
        return "unknown", str(error)
    return verdict


def _is_restored(stage: DeclaredStage, view: View) -> bool:
    """Whether DVC will find the results of an earlier run of the same in its run cache."""
    try:
        entry = find_result(view.root, _cache_entry(stage, view)) if not stage.is_frozen else None
        if entry is None:
            return False
        outputs = recorded(entry, "outs", stage)
        if not all(view.cache.has(recorded_hash(out, path)) for path, out in outputs.items()):
            return False
        _know_outputs(stage, entry, view)
    except UnknownHashError:
        return False
    return True


def _cache_entry(stage: DeclaredStage, view: View) -> dict[str, Any]:
    """What DVC hashes to find a run of the stage; UnknownHashError when a dep is not known before running."""
    deps = []
    for dep in sorted(stage.deps, key=lambda path: relative(path, stage)):
        maker = view.maker_of(dep)
        md5 = None if maker is not None and maker.name in view.will_run else view.hash_of(dep)
        if md5 is None:
            raise UnknownHashError(f"{dep} is made by a stage that will run")
        deps.append({"path": relative(dep, stage), "hash": "md5", "md5": md5} | view.files.flags_of(dep))
    entry: dict[str, Any] = {"cmd": stage.commands[0] if len(stage.commands) == 1 else list(stage.commands)}
    params = {relative(file, stage): values for file, values in view.params_of(stage).items()}
    if any(value is MISSING for values in params.values() for value in values.values()):
        raise UnknownHashError("a param is missing")
    outs = sorted(relative(out.path, stage) for out in stage.outputs)
    return entry | {"deps": deps} | ({"params": params} if params else {}) | {"outs": outs}


def _know_outputs(stage: DeclaredStage, lock: Mapping[str, Any], view: View) -> None:
    for path, entry in recorded(lock, "outs", stage).items():
        view.outputs[path] = recorded_hash(entry, path)


def _expected_s(root: Path, stage: DeclaredStage) -> float | None:
    """How long it took last time, if its run record says so."""
    try:
        record = decode_run_record((root / paths.metrics_dir(stage.key) / paths.RUN_RECORD_NAME).read_bytes())
    except OSError:
        return None
    return record.duration_s if record is not None and record.status == "done" else None
