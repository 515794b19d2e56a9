"""Commits and their experiments, as rows that stay the same until a ref changes."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from tui.core.experiments import Experiment
from tui.store.git.commits import CommitReader
from tui.store.git.refs import ExperimentRef, RefReader, Refs
from tui.store.project import Project

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Snapshot:
    """History as of one state of the refs."""

    refs: Refs
    commits: tuple[Experiment, ...]
    """Newest first."""
    experiments: dict[str, tuple[Experiment, ...]]
    """SHA of the baseline -> its experiments, newest first."""

    @cached_property
    def rows(self) -> tuple[Experiment, ...]:
        """Each commit followed by its experiments."""
        rows: list[Experiment] = []
        for commit in self.commits:
            rows.append(commit)
            rows += self.experiments.get(commit.rev, ())
        return tuple(rows)

    @cached_property
    def run_ids(self) -> frozenset[str]:
        """Runs that have become experiments."""
        rows = (row for rows in self.experiments.values() for row in rows)
        return frozenset(row.run_id for row in rows if row.run_id is not None)

    @cached_property
    def revs(self) -> frozenset[str]:
        """Commits of all experiments."""
        return frozenset(ref.rev for ref in self.refs.experiments)

    @cached_property
    def names(self) -> frozenset[tuple[str, str]]:
        """(baseline, name) of all experiments."""
        return frozenset((ref.baseline, ref.name) for ref in self.refs.experiments)


class History:
    """Reads the history and keeps it while nothing changes."""

    def __init__(self, project: Project, commits: CommitReader, num_commits: int) -> None:
        self._commits, self._num_commits = commits, num_commits
        self._reader = RefReader(project)
        self._snapshot: Snapshot | None = None

    def refs(self) -> Refs:
        """All refs, as they are now."""
        return self._reader.read()

    def read(self) -> Snapshot:
        """The history as it is now."""
        refs, outdated = self.refs(), self._commits.forget_outdated()
        if self._snapshot is None or self._snapshot.refs is not refs or outdated:
            self._snapshot = self._read(refs, self._snapshot, outdated)
        return self._snapshot

    def revisions(self, refs: Refs) -> list[str]:
        """SHAs of the commits that are shown."""
        shown = dict.fromkeys(self._commits.first_parents(refs.head, self._num_commits)) if refs.head else {}
        shown.update(dict.fromkeys(refs.named))
        shown.update(dict.fromkeys(refs.groups))
        return list(shown)

    def _read(self, refs: Refs, before: Snapshot | None, outdated: Collection[str]) -> Snapshot:
        revisions = self.revisions(refs)
        self._commits.prepare([*revisions, *(ref.rev for ref in refs.experiments)])
        commits = [self._commits.experiment(rev, "commit", refs=refs.named.get(rev, ())) for rev in revisions]
        experiments = {
            baseline: self._group(group, before, baseline, outdated) for baseline, group in refs.groups.items()
        }
        return Snapshot(refs, tuple(newest_first(commits)), experiments)

    def _group(
        self, group: tuple[ExperimentRef, ...], before: Snapshot | None, baseline: str, outdated: Collection[str]
    ) -> tuple[Experiment, ...]:
        old = before.experiments.get(baseline, ()) if before is not None else ()
        if before is not None and not outdated and before.refs.groups.get(baseline) is group:
            return old
        known = {row.name: row for row in old if row.rev not in outdated}
        rows = []
        for ref in group:
            row = known.get(ref.name)
            rows.append(row if row is not None and row.rev == ref.rev else self.row(ref))
        return tuple(newest_first(rows))

    def row(self, ref: ExperimentRef) -> Experiment:
        """The row of an experiment."""
        return self._commits.experiment(ref.rev, "experiment", ref.name, ref.baseline)


def newest_first(rows: Iterable[Experiment]) -> list[Experiment]:
    """Rows by time; those without one last, the order of equals is kept."""
    return sorted(rows, key=lambda row: row.timestamp or _EPOCH, reverse=True)
