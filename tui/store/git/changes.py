"""Which files differ between two revisions: those that Git tracks, and those in folders that DVC tracks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pygit2

from tui.core import changes as core_changes
from tui.core.changes import DataChange, status_of
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.ports import FileChange
from tui.store.dvc_cache import DvcCache
from tui.store.project import Project, open_project

_STATUS = {"A": "added", "D": "deleted"}
_OF_DVC = ".dvc/tmp/"
"""What DVC keeps there goes into the commits of its queue, and is no work of anybody."""


def changed_between(
    project: Project, old: Experiment, new: Experiment, clone_of: Callable[[Experiment], Path | None]
) -> list[FileChange]:
    """Files that differ, by path. A run that goes on is what is in its clone; there the other one has to be a commit:
    of the workspace, and of another run, that is the one it was started from."""
    clone = clone_of(new)
    if clone is not None:
        is_folder = old.kind == "workspace" or clone_of(old) is not None
        return changed_files(open_project(clone), (old.baseline if is_folder else None) or old.rev, "workspace")
    if clone_of(old) is not None:
        return [_turned(change) for change in changed_between(project, new, old, clone_of)]
    return changed_files(project, old.rev, new.rev)


def changed_files(project: Project, old: str, new: str) -> list[FileChange]:
    """Files of the project that differ, by path; `workspace` is what is on disk of the tracked files."""
    if old == new:
        return []
    if old == "workspace":
        return [_turned(change) for change in changed_files(project, new, old)]
    tree = _tree(project, old)
    diff = tree.diff_to_workdir() if new == "workspace" else tree.diff_to_tree(_tree(project, new))
    changes = (_change(project, diff, number, delta) for number, delta in enumerate(diff.deltas))
    return sorted((change for change in changes if change is not None), key=lambda change: change.path)


def _tree(project: Project, rev: str) -> Any:
    try:
        return project.repository[rev].peel(pygit2.Tree)
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise UserError("the commit is missing from the Git repository", rev, "git fetch may bring it") from error


def _change(project: Project, diff: Any, number: int, delta: Any) -> FileChange | None:
    sign = delta.status_char()
    path = delta.old_file.path if sign == "D" else delta.new_file.path
    if not path.startswith(project.prefix) or path.startswith(project.prefix + _OF_DVC):
        return None
    added, deleted = _num_lines(diff, number)
    return FileChange(path.removeprefix(project.prefix), _STATUS.get(sign, "modified"), added, deleted)


def _num_lines(diff: Any, number: int) -> tuple[int, int]:
    """Lines added and deleted; none of a binary file, and of one whose content the repository does not have."""
    try:
        patch = diff[number]
    except (KeyError, ValueError, pygit2.GitError):
        return 0, 0
    if patch is None or patch.delta.is_binary:
        return 0, 0
    _, added, deleted = patch.line_stats
    return added, deleted


def _turned(change: FileChange) -> FileChange:
    status = {"added": "deleted", "deleted": "added"}.get(change.status, change.status)
    return FileChange(change.path, status, change.deleted, change.added)


def changed_data(old: Experiment, new: Experiment, cache: DvcCache) -> list[DataChange]:
    """What DVC tracks and differs, by path."""
    return [_with_files(change, cache) for change in core_changes.changed_data(old, new)]


def _with_files(change: DataChange, cache: DvcCache) -> DataChange:
    """A change of a folder with the files in it that differ, where the cache lists both sides."""
    listings = [
        cache.listing(md5) if md5 is not None and md5.endswith(".dir") else {} for md5 in (change.old, change.new)
    ]
    if not all(listings):
        return change
    old, new = listings
    differing = sorted(path for path in {**old, **new} if old.get(path) != new.get(path))
    return replace(change, files=tuple((path, status_of(path in old, path in new)) for path in differing))
