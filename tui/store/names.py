"""Finds the experiment that somebody means: by name, branch, tag, run, or the start of a SHA."""

import difflib
import re
from collections.abc import Iterable, Sequence

import pygit2

from tui.core.errors import UsageError
from tui.core.experiments import Experiment
from tui.store.git.commits import CommitReader
from tui.store.git.history import History
from tui.store.git.refs import Refs
from tui.store.project import Project

_SHA = re.compile(r"[0-9a-f]{4,40}", re.IGNORECASE)
_MAX_SHOWN = 8


class Names:
    """Resolves what users type."""

    def __init__(self, project: Project, history: History, commits: CommitReader) -> None:
        self._repository, self._history, self._commits = project.repository, history, commits

    def resolve(self, text: str, live: Sequence[Experiment] = ()) -> Experiment:
        """The one experiment that the text means; UsageError with candidates if there is none or several."""
        refs = self._history.refs()
        found = self._by_name(text, refs, live) or self._by_sha(text, refs, live) or self._by_expression(text, refs)
        if not found and refs.head is None:
            raise UsageError("there is no commit yet", f"'{text}' cannot be found", "git commit makes the first one")
        if not found:
            raise UsageError(
                f"no experiment or revision '{text}'", _nearest(text, refs, live), "finetui experiments lists them"
            )
        if len({row.rev for row in found}) > 1:
            shown = "; ".join(_describe(row) for row in found[:_MAX_SHOWN])
            raise UsageError(f"'{text}' means several experiments", shown, "give the start of one of these SHAs")
        return found[0]

    def _by_name(self, text: str, refs: Refs, live: Iterable[Experiment]) -> list[Experiment]:
        rows = [row for row in live if text in {row.name, row.run_id}]
        running = {row.run_id for row in rows if row.run_id}
        named = (self._history.row(ref) for ref in refs.experiments if ref.name == text)
        rows += [row for row in named if row.run_id is None or row.run_id not in running]
        revs = [rev for rev, names in refs.named.items() if text in names]
        if text == "HEAD" and refs.head:
            revs = [refs.head]
        return rows + [self._commit(rev, refs) for rev in dict.fromkeys(revs)]

    def _by_sha(self, text: str, refs: Refs, live: Iterable[Experiment]) -> list[Experiment]:
        if _SHA.fullmatch(text) is None:
            return []
        start = text.lower()
        rows = [row for row in live if row.rev.startswith(start)]
        taken = {row.rev for row in rows}
        rows += [
            self._history.row(ref) for ref in refs.experiments if ref.rev.startswith(start) and ref.rev not in taken
        ]
        taken |= {row.rev for row in rows}
        shown = [rev for rev in self._history.revisions(refs) if rev.startswith(start) and rev not in taken]
        return rows + [self._commit(rev, refs) for rev in shown]

    def _by_expression(self, text: str, refs: Refs) -> list[Experiment]:
        """What Git itself understands, such as HEAD~2, a remote branch, or a SHA that is not shown."""
        try:
            rev = str(self._repository.revparse_single(text).peel(pygit2.Commit).id)
        except (KeyError, ValueError, TypeError, pygit2.GitError):
            return []
        return [self._commit(rev, refs)]

    def _commit(self, rev: str, refs: Refs) -> Experiment:
        return self._commits.experiment(rev, "commit", refs=refs.named.get(rev, ()))


def _describe(row: Experiment) -> str:
    where = f" on {row.baseline[:7]}" if row.baseline else ""
    return f"{row.short_rev} {row.name or ', '.join(row.refs) or row.subject}{where}".strip()


def _nearest(text: str, refs: Refs, live: Iterable[Experiment]) -> str:
    names = {ref.name for ref in refs.experiments} | {row.name for row in live if row.name}
    names |= {name for group in refs.named.values() for name in group} | {"workspace", "HEAD"}
    near = difflib.get_close_matches(text, sorted(names), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else ""
