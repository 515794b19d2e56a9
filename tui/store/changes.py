"""Which tracked files differ between two revisions."""

from typing import Any

import pygit2

from tui.core.errors import UserError
from tui.core.ports import FileChange
from tui.store.project import Project

_STATUS = {"A": "added", "D": "deleted"}


def changed_files(project: Project, old: str, new: str) -> list[FileChange]:
    """Files of the project that differ, by path; `workspace` is what is on disk of the tracked files."""
    if old == new:
        return []
    if old == "workspace":
        return [_turned(change) for change in changed_files(project, new, old)]
    tree = _tree(project, old)
    diff = tree.diff_to_workdir() if new == "workspace" else tree.diff_to_tree(_tree(project, new))
    changes = (_change(project, patch) for patch in diff)
    return sorted((change for change in changes if change is not None), key=lambda change: change.path)


def _tree(project: Project, rev: str) -> Any:
    try:
        return project.repository[rev].peel(pygit2.Tree)
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise UserError("the commit is missing from the Git repository", rev, "git fetch may bring it") from error


def _change(project: Project, patch: Any) -> FileChange | None:
    delta = patch.delta
    sign = delta.status_char()
    path = delta.old_file.path if sign == "D" else delta.new_file.path
    if not path.startswith(project.prefix):
        return None
    _, added, deleted = (0, 0, 0) if delta.is_binary else patch.line_stats
    return FileChange(path.removeprefix(project.prefix), _STATUS.get(sign, "modified"), added, deleted)


def _turned(change: FileChange) -> FileChange:
    status = {"added": "deleted", "deleted": "added"}.get(change.status, change.status)
    return FileChange(change.path, status, change.deleted, change.added)
