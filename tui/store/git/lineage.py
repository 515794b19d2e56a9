"""The first-parent line of a commit, and how two commits lie on it."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import pygit2

from tui.core.errors import UsageError
from tui.core.experiments import Experiment
from tui.core.history.lineage import Line
from tui.store.git.commits import CommitReader
from tui.store.git.history import History
from tui.store.project import Project

_ABSENT = (KeyError, ValueError, TypeError, OSError, pygit2.GitError)


class Lineage:
    """Reads lines of commits."""

    def __init__(self, project: Project, history: History, commits: CommitReader) -> None:
        self._repository, self._history, self._commits = project.repository, history, commits

    def rows(self, rev: str, num_commits: int) -> list[Experiment]:
        """A commit and those before it on its first-parent line, newest first; UsageError for an unknown one."""
        return self._rows(self._commits.first_parents(self._full(rev), num_commits))

    def between(self, old: str, new: str) -> Line:
        """The commits from `old` to `new`, or how else the two lie; UsageError for an unknown one."""
        first, last = self._full(old), self._full(new)
        if first == last:
            return Line("same")
        base = self._base(first, last)
        if base != first:
            return Line("after" if base == last else "unrelated", base=base)
        line = self._back_to(last, first)
        if line[-1] != first:
            joint = bisect_left(line, True, key=lambda rev: not self._contains(rev, first))
            return Line("aside", base=line[joint] if joint < len(line) else None, merge=line[joint - 1])
        merges = {rev: count for rev in line[:-1] if (count := self._num_merged(rev))}
        return Line("before", tuple(self._rows(reversed(line))), merges)

    def _rows(self, revs: Iterable[str]) -> list[Experiment]:
        line, named = list(revs), self._history.refs().named
        self._commits.prepare(line)
        return [self._commits.experiment(rev, "commit", refs=named.get(rev, ())) for rev in line]

    def _full(self, rev: str) -> str:
        try:
            return str(self._repository.revparse_single(rev).peel(pygit2.Commit).id)
        except _ABSENT as error:
            raise UsageError(f"no commit '{rev}'", hint="git log shows what there is") from error

    def _base(self, one: str, other: str) -> str | None:
        try:
            found = self._repository.merge_base(one, other)
        except _ABSENT:
            return None  # a shallow clone ends before it
        return None if found is None else str(found)

    def _back_to(self, new: str, old: str) -> list[str]:
        """First parents of `new` down to `old`, or all of them when it is not there."""
        line = [new]
        while line[-1] != old and (parents := self._parents(line[-1])):
            line.append(parents[0])
        return line

    def _contains(self, rev: str, other: str) -> bool:
        try:
            return bool(self._repository.descendant_of(rev, other))
        except _ABSENT:
            return False

    def _num_merged(self, rev: str) -> int:
        """Commits that a merge brought in; 0 for what is no merge."""
        parents = self._parents(rev)
        try:
            return sum(self._repository.ahead_behind(other, parents[0])[0] for other in parents[1:])
        except _ABSENT:
            return len(parents) - 1

    def _parents(self, rev: str) -> list[str]:
        try:
            commit: Any = self._repository[rev].peel(pygit2.Commit)
        except _ABSENT:
            return []
        return [str(parent) for parent in commit.parent_ids]
