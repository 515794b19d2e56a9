"""How far the stages of a run are: what its supervisor noted, and what the stages write themselves."""

import os
import time
from collections import deque
from datetime import datetime
from pathlib import Path

from pipeline.contract import paths
from pipeline.contract.run_record import RunRecord, decode_run_record
from pipeline.contract.series import STEP, decode_points
from tui.core.runs import StageProgress
from tui.dvc.record import RunSpec, RunStatus, StageNote

_TAIL_BYTES = 1 << 15


def read_progress(root: Path, spec: RunSpec, status: RunStatus) -> tuple[StageProgress, ...]:
    """Progress of every stage, in pipeline order; `root` is the project in the clone."""
    names = _all_names(spec.stages, status)
    return tuple(_progress(root / paths.metrics_dir(name), name, status.stages.get(name), spec) for name in names)


def keep_progress(root: Path, spec: RunSpec, status: RunStatus) -> None:
    """Write the progress into the status, which outlives the clone."""
    for part in read_progress(root, spec, status):
        if (note := status.stages.get(part.stage)) is not None:
            note.step, note.num_steps, note.elapsed_s = part.step, part.num_steps, part.elapsed_s


def _all_names(declared: list[str], status: RunStatus) -> list[str]:
    """Declared stages; those made from a template stand where it is declared, unexpected ones at the end."""
    names: list[str] = []
    for name in declared:
        made = [seen for seen in status.stages if seen.startswith(f"{name}@")]
        names.extend(made or [name])
    return list(dict.fromkeys((*names, *status.stages)))


def _progress(folder: Path, name: str, note: StageNote | None, spec: RunSpec) -> StageProgress:
    if note is None:
        return StageProgress(name, "waiting")
    if note.status == "cached":
        return StageProgress(name, "cached")
    if note.elapsed_s is not None:
        return StageProgress(name, note.status, note.step, note.num_steps, note.elapsed_s)
    since = datetime.fromisoformat(spec.started_at).timestamp()
    record = _current_record(folder, since)
    elapsed = max(0.0, (note.ended or time.time()) - note.started)
    if record is None:
        return StageProgress(name, note.status, elapsed_s=elapsed)
    if note.status == "running":
        started = datetime.fromisoformat(record.started_at).timestamp()
        elapsed = max(0.0, time.time() - started)
        return StageProgress(name, "running", _last_step(folder, since), record.num_steps, elapsed)
    step = record.step or _last_step(folder, since)
    return StageProgress(name, note.status, step, record.num_steps, record.duration_s or elapsed)


def _current_record(folder: Path, since: float) -> RunRecord | None:
    """The run record of a stage, unless it is left over from an earlier run."""
    try:
        record = decode_run_record((folder / paths.RUN_RECORD_NAME).read_bytes())
        started = datetime.fromisoformat(record.started_at).timestamp() if record is not None else 0.0
    except (OSError, ValueError, TypeError):
        return None
    return record if started >= int(since) else None


def _last_step(folder: Path, since: float) -> int:
    """Step of the last complete line of the series; only its end is read."""
    try:
        with (folder / paths.SERIES_NAME).open("rb") as series:
            stat = os.fstat(series.fileno())
            if stat.st_mtime < int(since):
                return 0
            series.seek(max(0, stat.st_size - _TAIL_BYTES))
            last = deque(decode_points(series.read()), maxlen=1)
    except OSError:
        return 0
    return int(last[0][STEP] or 0) if last else 0
