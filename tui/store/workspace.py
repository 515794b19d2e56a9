"""The workspace as a row: files on disk, and what is running there."""

import os
from pathlib import Path
from typing import Any

from pipeline.contract import paths
from pipeline.contract.run_record import RunRecord, decode_run_record
from pipeline.contract.series import decode_points
from tui.core.experiments import Experiment, Status, has_run
from tui.store.dvc_tasks import is_stage_running
from tui.store.git.files import FolderFiles
from tui.store.git.work_tree import WorkTree
from tui.store.project import Project
from tui.store.values import ValueReader

_TAIL_BYTES = 4096
_CLOCK_TOLERANCE_S = 2.0


class Workspace:
    """Reads the work tree of the project."""

    def __init__(self, project: Project, values: ValueReader) -> None:
        self._project, self._values = project, values
        self._tree = WorkTree(project)

    def files(self) -> FolderFiles:
        """Files on disk; a dvc.yaml or .dvc file counts unless Git ignores it."""
        return FolderFiles(self._project.root, self._tree.names())

    def experiment(self, head: str | None) -> Experiment:
        """The row of the workspace."""
        values = self._values.read(self.files())
        record = latest_record(self._project.root)
        status, fraction = state_of(record, self._project.root)
        if status == "done" and is_stage_running(self._project.root):
            status = "running"  # a stage that writes no run record
        elif record is None and not values.is_pending and not has_run(values.metrics, values.deps, values.outs):
            status = "not run"
        error = values.error
        if record is not None and status == "failed" and record.error:
            error = "; ".join(part for part in (f"{record.stage}: {record.error}", error) if part)
        stage = record.stage if record is not None and status in {"running", "lost"} else None
        return Experiment(
            "workspace", "workspace", baseline=head, status=status, params=values.params, metrics=values.metrics,
            deps=values.deps, outs=values.outs, data_sources=values.data_sources, missing=tuple(values.missing),
            error=error, stage=stage, fraction=fraction, is_pending=values.is_pending,
        )  # fmt: skip


def latest_record(root: Path) -> RunRecord | None:
    """The run record of the stage that was started last; None if there is none."""
    latest: RunRecord | None = None
    try:
        with os.scandir(root / paths.METRICS_DIR) as entries:
            folders = [Path(entry.path) for entry in entries]
    except OSError:
        return None
    for folder in folders:
        try:
            record = decode_run_record((folder / paths.RUN_RECORD_NAME).read_bytes())
        except OSError:
            continue
        if record is not None and (latest is None or _start(record) > _start(latest)):
            latest = record
    return latest


def _start(record: RunRecord) -> tuple[bool, str]:
    return record.status == "running", str(record.started_at)


def state_of(record: RunRecord | None, root: Path) -> tuple[Status, float | None]:
    """State of the workspace after its last record, and the share of the stage that is done while it runs."""
    if record is None:
        return "done", None
    if record.status == "running":
        return ("running", stage_fraction(record, root)) if is_alive(record) else ("lost", None)
    return (record.status if record.status in {"failed", "cancelled"} else "done"), None


def is_alive(record: RunRecord) -> bool:
    """Whether the very process that wrote the record still runs; a pid alone can be reused."""
    import psutil

    try:
        started = float(psutil.Process(int(record.pid)).create_time())
    except (psutil.Error, ValueError, TypeError, OverflowError):
        return False
    return abs(started - float(record.process_started)) < _CLOCK_TOLERANCE_S


def stage_fraction(record: RunRecord, root: Path) -> float | None:
    """Share of a stage that is done, by the last point of its series."""
    if not isinstance(record.num_steps, int) or record.num_steps <= 0:
        return None
    points = list(decode_points(_tail(root / paths.metrics_dir(record.stage) / paths.SERIES_NAME)))
    step: Any = points[-1]["step"] if points else 0
    return min(1.0, max(0.0, float(step) / record.num_steps)) if isinstance(step, int | float) else None


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return file.read()
    except OSError:
        return b""
