"""The rows of the table: commits and experiments of the history, and runs that are not, or not yet, among them."""

from __future__ import annotations  # runs are loaded only when there are some

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.experiments import Experiment
from tui.store.dvc_tasks import DvcTasks
from tui.store.git.commits import CommitReader
from tui.store.git.history import Snapshot
from tui.store.live import LiveRuns

if TYPE_CHECKING:
    from tui.core.runs import Run


class Listing:
    """Puts runs below the commits that they were started from."""

    def __init__(self, live: LiveRuns, tasks: DvcTasks, commits: CommitReader) -> None:
        self._live, self._tasks, self._commits = live, tasks, commits
        self._directories: dict[str, Path] = {}  # run id, or stash commit of DVC -> clone, of what is a row of its own

    def rows(self, snapshot: Snapshot, runs: Sequence[Run]) -> Sequence[Experiment]:
        """Newest commit first, each followed by what runs on it and by its experiments."""
        live = self.live_rows(snapshot, runs)
        own_rows = {row.run_id for row in live}
        told = {run.id: run for run in runs if run.error is not None and run.id not in own_rows}
        return list(self._merged(snapshot, live, told)) if live or told else snapshot.rows

    def has_live_rows(self, runs: Sequence[Run]) -> bool:
        """Whether there can be rows besides those of the history."""
        return bool(runs or self._tasks.read())

    def clone(self, experiment: Experiment) -> Path | None:
        """Folder that a row of its own runs in."""
        return self._directories.get(experiment.run_id or experiment.rev)

    def live_rows(self, snapshot: Snapshot, runs: Sequence[Run]) -> list[Experiment]:
        """Runs that have no commit yet, and experiments that DVC has queued, runs or has seen fail."""
        rows: list[Experiment] = []
        for run in runs:
            if run.is_active or not (run.id in snapshot.run_ids or run.rev in snapshot.revs):
                rows.append(self._live.experiment(run))
                self._directories[run.id] = run.directory
            else:
                self._directories.pop(run.id, None)
        for task in self._tasks.read():
            if (task.baseline, task.name) not in snapshot.names:
                rows.append(self._live.dvc_experiment(task))
                self._directories.update({task.rev: task.root} if task.root is not None else {})
        return rows

    def _merged(self, snapshot: Snapshot, live: list[Experiment], told: dict[str, Run]) -> Iterator[Experiment]:
        hidden = {row.run_id for row in live}
        for commit in self._with_baselines(snapshot, live):
            yield commit
            yield from (row for row in live if row.baseline == commit.rev)
            for row in snapshot.experiments.get(commit.rev, ()):
                if row.run_id is None or row.run_id not in hidden:
                    yield _with_run(row, told.get(row.run_id or ""))

    def _with_baselines(self, snapshot: Snapshot, live: list[Experiment]) -> list[Experiment]:
        shown = {commit.rev for commit in snapshot.commits}
        extra = dict.fromkeys(row.baseline for row in live if row.baseline and row.baseline not in shown)
        return [*snapshot.commits, *(self._commits.experiment(rev, "commit") for rev in extra)]


def _with_run(row: Experiment, run: Run | None) -> Experiment:
    """The row of a finished run, with the reason of its failure as the runner saw it."""
    if run is None or run.error is None or row.error is not None:
        return row
    return replace(row, error=run.error)
