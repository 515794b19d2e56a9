"""One row per commit, read once: a commit never changes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pygit2

from tui.core.experiments import Experiment, Kind, Status
from tui.store.files import CommitFiles
from tui.store.project import Project
from tui.store.stopped import failures, unreached_stages
from tui.store.trees import TreeReader
from tui.store.values import ValueReader, Values

_STOPPED = {"failed", "cancelled", "lost"}
_TRAILER = re.compile(r"^Finetui-(Status|Run|Error): *(.*?) *$", re.MULTILINE)


@dataclass(slots=True)
class CommitRow:
    """What a commit says, whatever points at it."""

    timestamp: datetime
    subject: str
    values: Values
    status: Status
    run_id: str | None


class CommitReader:
    """Reads rows and keeps them."""

    def __init__(self, project: Project, values: ValueReader) -> None:
        self._project, self._repository, self._values = project, project.repository, values
        self.trees = TreeReader(project.repository)
        self._rows: dict[str, CommitRow] = {}

    def files(self, rev: str) -> CommitFiles:
        """Files of a commit; KeyError or ValueError if the repository does not have it."""
        return CommitFiles(self._repository, self.trees, self._commit(rev).tree_id, self._project.prefix)

    def experiment(
        self, rev: str, kind: Kind, name: str | None = None, baseline: str | None = None, refs: tuple[str, ...] = ()
    ) -> Experiment:
        """The row of a commit; one with an error if it cannot be read."""
        try:
            row = self._row(rev)
        except (KeyError, ValueError, OSError, pygit2.GitError) as error:
            reason = _reason(error, "its commit") if rev else "its ref is broken"
            return Experiment(rev, kind, name, baseline, refs, error=reason)
        values = row.values
        return Experiment(
            rev, kind, name, baseline, refs, row.timestamp, row.subject, row.status, values.params, values.metrics,
            tuple(values.missing), values.error, row.run_id,
        )  # fmt: skip

    def forget_if_arrived(self) -> bool:
        """Drop rows whose missing files have come into the DVC cache; whether there were any."""
        arrived = [rev for rev, row in self._rows.items() if any(place.exists() for place in row.values.awaited)]
        for rev in arrived:
            del self._rows[rev]
        return bool(arrived)

    def first_parents(self, rev: str, count: int) -> Iterator[str]:
        """A commit and those before it on its first-parent line; ends where the repository does."""
        for _ in range(count):
            yield rev
            try:
                parents = self._commit(rev).parent_ids
            except (KeyError, ValueError, pygit2.GitError):
                return
            if not parents:
                return
            rev = str(parents[0])

    def _commit(self, rev: str) -> Any:
        return self._repository[rev].peel(pygit2.Commit)

    def _row(self, rev: str) -> CommitRow:
        row = self._rows.get(rev)
        if row is None:
            row = self._rows[rev] = self._read(rev)
        return row

    def _read(self, rev: str) -> CommitRow:
        commit = self._commit(rev)
        files = self.files(rev)
        trailers = dict(_TRAILER.findall(commit.message))
        status: Any = trailers.get("Status", "done")
        status = status if status in get_args(Status) else "done"
        try:
            values = self._values.read(files, unreached_stages(files) if status in _STOPPED else frozenset())
            if status == "failed":
                values.problems[:0] = failures(files) or [trailers.get("Error", "the run failed; its log says why")]
        except (KeyError, OSError) as error:
            values = Values(problems=[_reason(error)])
        subject = commit.message.partition("\n")[0]
        return CommitRow(_time(commit), subject, values, status, trailers.get("Run"))


def _reason(error: Exception, what: str = "an object") -> str:
    return f"{what} is missing from the Git repository" if isinstance(error, KeyError) else str(error)


def _time(commit: Any) -> datetime:
    try:
        zone = timezone(timedelta(minutes=commit.commit_time_offset))
        return datetime.fromtimestamp(commit.commit_time, zone)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
