"""One row per commit, read once: a commit never changes."""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, get_args

import pygit2

from tui.core.experiments import Experiment, Kind, Status, has_run
from tui.store.awaited import AwaitedFiles
from tui.store.git.files import CommitFiles
from tui.store.git.row_cache import CommitRow, RowCache, make_time
from tui.store.git.trees import TreeReader
from tui.store.project import Project
from tui.store.stopped import failures, unreached_stages
from tui.store.values import ValueReader, Values

_STOPPED = {"failed", "cancelled", "lost"}
_STATES = frozenset(get_args(Status)) - {"not run"}
_TRAILER = re.compile(r"^Finetui-(Status|Run|Error): *(.*?) *$", re.MULTILINE)
_LIVE_S = 0.5
"""So long a live reader reads before it answers; the rest follows with the next answers."""
_SAVED_AT_ONCE = 500


class CommitReader:
    """Reads rows and keeps them."""

    def __init__(
        self, project: Project, values: ValueReader, cache: RowCache, awaited: AwaitedFiles, is_live: bool = False
    ) -> None:
        self._project, self._repository, self._values = project, project.repository, values
        self._cache, self._awaited, self._is_live = cache, awaited, is_live
        self.trees = TreeReader(project.repository)
        self._rows: dict[str, CommitRow] = {}
        self._unsaved: dict[str, CommitRow] = {}
        self._postponed: set[str] = set()
        self._provisional: set[str] = set()  # read before DVC had said where everything is
        self._version = 0
        self._stale: set[str] = set()  # what is stored of them is no longer so
        self._outdated: set[str] = set()

    def files(self, rev: str) -> CommitFiles:
        """Files of a commit; KeyError or ValueError if the repository does not have it."""
        return CommitFiles(self._repository, self.trees, self._commit(rev).tree_id, self._project.prefix, rev)

    def prepare(self, revs: Iterable[str]) -> None:
        """Get the rows of many commits at once; a live reader leaves some for the next time if that takes long."""
        unknown = [rev for rev in dict.fromkeys(revs) if rev and rev not in self._rows]
        if unknown:
            for rev, row in self._cache.load(rev for rev in unknown if rev not in self._stale).items():
                self._keep(rev, row)
            self._drop_arrived()
            self._postponed = set(self._read_all([rev for rev in unknown if rev not in self._rows]))
            self._save()

    def _read_all(self, revs: list[str]) -> list[str]:
        """Read rows; those for which there was no time."""
        until = time.monotonic() + _LIVE_S if self._is_live else float("inf")
        for number, rev in enumerate(revs):
            with suppress(KeyError, ValueError, OSError, pygit2.GitError):  # its row will say so
                self._row(rev)
            if time.monotonic() > until:
                return revs[number + 1 :]
        return []

    def experiment(
        self, rev: str, kind: Kind, name: str | None = None, baseline: str | None = None, refs: tuple[str, ...] = ()
    ) -> Experiment:
        """The row of a commit; one with an error if it cannot be read."""
        try:
            row = self._outline(rev) if rev in self._postponed else self._row(rev)
        except (KeyError, ValueError, OSError, pygit2.GitError) as error:
            reason = _reason(error, "its commit") if rev else "its ref is broken"
            return Experiment(rev, kind, name, baseline, refs, error=reason)
        is_ended = kind != "commit" or row.status != "done" or row.is_pending
        status = row.status if is_ended or has_run(row.metrics, row.deps, row.outs) else "not run"
        return Experiment(
            rev, kind, name, baseline, refs, row.timestamp, row.subject, status, row.params, row.metrics,
            row.deps, row.outs, row.data_sources, row.missing, row.error, row.run_id, is_pending=row.is_pending,
        )  # fmt: skip

    def forget_outdated(self) -> set[str]:
        """Drop rows that would be others now: a file has come into the DVC cache, or there was no time before."""
        self._drop_arrived()
        self._drop_provisional()
        outdated = self._outdated | self._postponed
        self._outdated, self._postponed = set(), set()
        return outdated

    def _drop_arrived(self) -> None:
        arrived = self._awaited.take_arrived()
        for rev in arrived:
            self._rows.pop(rev, None)
        self._stale |= arrived
        self._outdated |= arrived

    def _drop_provisional(self) -> None:
        """Drop rows that DVC has said more about, or may have."""
        version = self._values.version
        if version != self._version:
            for rev in self._provisional:
                self._rows.pop(rev, None)
            self._outdated |= self._provisional
            self._provisional, self._version = set(), version

    def first_parents(self, rev: str, count: int) -> Iterator[str]:
        """A commit and those before it on its first-parent line; ends where the repository does."""
        for _ in range(count):
            yield rev
            known = self._rows.get(rev)
            try:
                parent = known.parent if known is not None else _parent(self._commit(rev))
            except (KeyError, ValueError, pygit2.GitError):
                return
            if parent is None:
                return
            rev = parent

    def _commit(self, rev: str) -> Any:
        return self._repository[rev].peel(pygit2.Commit)

    def _row(self, rev: str) -> CommitRow:
        row = self._rows.get(rev)
        if row is None:
            row = self._read(rev)
            self._keep(rev, row)
        return row

    def _keep(self, rev: str, row: CommitRow) -> None:
        self._rows[rev] = row
        if row.awaited:
            self._awaited.add(rev, row.awaited)

    def _save(self) -> None:
        self._cache.store(self._unsaved)
        self._unsaved = {}

    def _outline(self, rev: str) -> CommitRow:
        """What the commit itself says; its files have not been read yet."""
        commit = self._commit(rev)
        trailers = dict(_TRAILER.findall(commit.message))
        return _row_of(commit, trailers, Values(), is_pending=True)

    def _read(self, rev: str) -> CommitRow:
        commit = self._commit(rev)
        files = self.files(rev)
        trailers = dict(_TRAILER.findall(commit.message))
        status = trailers.get("Status", "done")
        is_lasting = True
        try:
            values = self._values.read(files, unreached_stages(files) if status in _STOPPED else frozenset())
            is_lasting = values.is_final
            if status == "failed":
                values.problems[:0] = failures(files) or [trailers.get("Error", "the run failed; its log says why")]
        except (KeyError, OSError) as error:
            values, is_lasting = Values(problems=[_reason(error)]), False
        row = _row_of(commit, trailers, values, values.is_pending)
        if not is_lasting:
            self._provisional.add(rev)
        else:
            self._unsaved[rev] = row
            if len(self._unsaved) >= _SAVED_AT_ONCE:
                self._save()
        return row


def _row_of(commit: Any, trailers: dict[str, str], values: Values, is_pending: bool = False) -> CommitRow:
    status: Any = trailers.get("Status", "done")
    return CommitRow(
        make_time(commit.commit_time, commit.commit_time_offset),
        commit.message.partition("\n")[0],
        status if status in _STATES else "done",
        trailers.get("Run"),
        _parent(commit),
        values.params,
        values.metrics,
        values.deps,
        values.outs,
        values.data_sources,
        tuple(values.missing),
        tuple(dict.fromkeys(values.awaited)),
        error=values.error,
        is_pending=is_pending,
    )


def _parent(commit: Any) -> str | None:
    parents = commit.parent_ids
    return str(parents[0]) if parents else None


def _reason(error: Exception, what: str = "an object") -> str:
    return f"{what} is missing from the Git repository" if isinstance(error, KeyError) else str(error)
