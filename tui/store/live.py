"""Runs that have no commit yet, or will get a new one, as rows: read from the clone that they run in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pygit2

from tui.core.experiments import Experiment
from tui.store.dvc_tasks import DvcTask
from tui.store.git.commits import CommitReader
from tui.store.git.files import PIPELINE, Files, FolderFiles
from tui.store.values import ValueReader, Values
from tui.store.workspace import latest_record, stage_fraction

if TYPE_CHECKING:
    from tui.core.runs import Run, StageProgress

_FINISHED = {"done", "cached"}


class LiveRuns:
    """Makes rows of runs."""

    def __init__(self, values: ValueReader, commits: CommitReader) -> None:
        self._values, self._commits = values, commits

    def experiment(self, run: "Run") -> Experiment:
        """The row of a run; its params are known from the start, a metric counts once its stage has ended.

        Before that, the clone still holds the baseline's.
        """
        values, subject = self._read(run)
        current = current_stage(run)
        return Experiment(
            run.rev or run.snapshot, "experiment", run.name, run.baseline, (), run.started_at, subject, run.status,
            values.params, values.metrics, values.deps, values.outs, values.data_sources, tuple(values.missing),
            run.error or values.error, run.id, current.stage if current else None,
            current.fraction if current else None, values.is_pending,
        )  # fmt: skip

    def dvc_experiment(self, task: DvcTask) -> Experiment:
        """The row of an experiment that DVC has queued or runs; metrics that are still the baseline's do not count."""
        snapshot = self._commits.experiment(task.rev, "experiment", task.name, task.baseline)
        stage, fraction = None, None
        values = Values(
            dict(snapshot.params), deps=dict(snapshot.deps), outs=dict(snapshot.outs),
            data_sources=snapshot.data_sources, problems=[snapshot.error] if snapshot.error else [],
            is_pending=snapshot.is_pending,
        )  # fmt: skip
        if task.root is not None and task.root.is_dir():
            values = self._values.read(FolderFiles(task.root, self._names(task.rev)))
            before = self._commits.experiment(task.baseline, "commit").metrics
            values.metrics = {path: found for path, found in values.metrics.items() if before.get(path) != found}
            record = latest_record(task.root)
            if record is not None and record.status == "running":
                stage, fraction = record.stage, stage_fraction(record, task.root)
        error = values.error
        if task.status == "failed" and error is None:
            error = f"the run failed; dvc queue logs {task.name or task.rev[:7]} says why"
        return Experiment(
            task.rev, "experiment", task.name, task.baseline, (), snapshot.timestamp, "", task.status,
            values.params, values.metrics, values.deps, values.outs, values.data_sources, error=error, stage=stage,
            fraction=fraction, is_pending=values.is_pending,
        )  # fmt: skip

    def _names(self, rev: str) -> Sequence[str]:
        try:
            return [path for path, _ in self._commits.files(rev).dvc_files()]
        except (KeyError, ValueError, OSError, pygit2.GitError):
            return (PIPELINE,)

    def _read(self, run: "Run") -> tuple[Values, str]:
        finished = frozenset(item.stage for item in run.progress if item.status in _FINISHED)
        stages = None if run.progress and len(finished) == len(run.progress) else finished
        try:
            snapshot = self._commits.files(run.snapshot)
        except (KeyError, ValueError, OSError, pygit2.GitError):
            snapshot = None
        files: Files | None = snapshot
        if run.directory.is_dir():
            files = FolderFiles(run.directory, self._names(run.snapshot))
        if files is None:
            return Values(problems=["its clone and its snapshot are gone"]), ""
        values = self._values.read(files, only=stages)
        values.missing = [] if run.is_active else values.missing
        return values, ""


def current_stage(run: "Run") -> "StageProgress | None":
    """The stage that runs, or where the run ended; the next one while none runs yet."""
    for wanted in ("running", "failed", "cancelled"):
        for item in run.progress:
            if item.status == wanted:
                return item
    if not run.is_active:
        return None
    return next((item for item in run.progress if item.status == "waiting"), None)
