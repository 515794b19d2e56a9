"""Commits and their experiments, as rows that stay the same until a ref changes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from tui.core.experiments import Experiment
from tui.store.commits import CommitReader
from tui.store.project import Project
from tui.store.refs import ExperimentRef, Refs, read_refs, signature

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """History as of one state of the refs."""

    refs: Refs
    commits: tuple[Experiment, ...]
    """Newest first."""
    experiments: dict[str, tuple[Experiment, ...]]
    """SHA of the baseline -> its experiments, newest first."""

    def by_run(self) -> dict[str, Experiment]:
        """Run id -> the experiment that it became."""
        rows = (row for rows in self.experiments.values() for row in rows)
        return {row.run_id: row for row in rows if row.run_id is not None}


class History:
    """Reads the history and keeps it while nothing changes."""

    def __init__(self, project: Project, commits: CommitReader, num_commits: int) -> None:
        self._project, self._commits, self._num_commits = project, commits, num_commits
        self._signature: object = None
        self._refs: Refs | None = None
        self._snapshot: Snapshot | None = None

    def refs(self) -> Refs:
        """All refs, read again only if one may have changed."""
        stamp = signature(self._project.git_dir, self._project.common_dir)
        if self._refs is None or stamp is None or stamp != self._signature:
            refs = read_refs(self._project.repository)
            self._signature = stamp
            if refs != self._refs:
                self._refs, self._snapshot = refs, None
        return self._refs

    def read(self) -> Snapshot:
        """The history as it is now."""
        refs = self.refs()
        if self._commits.forget_if_arrived():
            self._snapshot = None
        if self._snapshot is None:
            self._snapshot = self._read(refs)
        return self._snapshot

    def revisions(self, refs: Refs) -> list[str]:
        """SHAs of the commits that are shown."""
        shown = dict.fromkeys(self._commits.first_parents(refs.head, self._num_commits)) if refs.head else {}
        shown.update(dict.fromkeys(refs.named))
        shown.update(dict.fromkeys(ref.baseline for ref in refs.experiments))
        return list(shown)

    def _read(self, refs: Refs) -> Snapshot:
        commits = [
            self._commits.experiment(rev, "commit", refs=refs.named.get(rev, ())) for rev in self.revisions(refs)
        ]
        groups: dict[str, list[ExperimentRef]] = {}
        for ref in refs.experiments:
            groups.setdefault(ref.baseline, []).append(ref)
        experiments = {baseline: tuple(newest_first(map(self.row, group))) for baseline, group in groups.items()}
        return Snapshot(refs, tuple(newest_first(commits)), experiments)

    def row(self, ref: ExperimentRef) -> Experiment:
        """The row of an experiment."""
        return self._commits.experiment(ref.rev, "experiment", ref.name, ref.baseline)


def newest_first(rows: Iterable[Experiment]) -> list[Experiment]:
    """Rows by time; those without one last, the order of equals is kept."""
    return sorted(rows, key=lambda row: row.timestamp or _EPOCH, reverse=True)
