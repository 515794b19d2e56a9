"""Finds the DVC project around a folder, and the Git repository around that."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygit2

from tui.core.errors import UsageError

_HINT = "finetui init DIR makes a project; finetui -C DIR opens one elsewhere"


@dataclass(frozen=True, slots=True)
class Project:
    """Where the project and its Git repository are."""

    root: Path
    """Folder with `.dvc`."""
    repository: Any
    """pygit2 repository that the folder belongs to."""
    prefix: str
    """Path of the root inside the repository's work tree, with a slash at the end; empty if they are the same."""

    @property
    def git_dir(self) -> Path:
        """Folder with HEAD of this work tree."""
        return Path(self.repository.path)

    @property
    def common_dir(self) -> Path:
        """Folder with the refs, which linked work trees share."""
        pointer = self.git_dir / "commondir"
        if not pointer.is_file():
            return self.git_dir
        return (self.git_dir / pointer.read_text(encoding="utf-8").strip()).resolve()


def find_project(path: Path) -> Path:
    """Root of the DVC project that a folder belongs to; UsageError if there is none."""
    start = path.expanduser().resolve()
    if not start.is_dir():
        raise UsageError("no such folder", str(path), _HINT)
    for folder in (start, *start.parents):
        if (folder / ".dvc").is_dir():
            _repository(folder)
            return folder
    if _git_dir(start) is None:
        raise UsageError("not a Git repository", str(start), _HINT)
    raise UsageError("not a DVC project: no .dvc folder here or above", str(start), _HINT)


def open_project(root: Path) -> Project:
    """The project whose `.dvc` folder is in `root`; UsageError if it is none."""
    root = root.resolve()
    if not (root / ".dvc").is_dir():
        raise UsageError("not a DVC project: no .dvc folder", str(root), _HINT)
    repository = _repository(root)
    relative = root.relative_to(Path(repository.workdir).resolve()).as_posix()
    return Project(root, repository, "" if relative == "." else relative + "/")


def _git_dir(folder: Path) -> str | None:
    try:
        found: str | None = pygit2.discover_repository(str(folder))
    except (KeyError, pygit2.GitError):
        return None
    return found


def _repository(folder: Path) -> Any:
    found = _git_dir(folder)
    if found is None:
        raise UsageError("not a Git repository", str(folder), _HINT)
    try:
        repository = pygit2.Repository(found)
    except pygit2.GitError as error:
        raise UsageError("the Git repository cannot be opened", f"{folder}: {error}", "git status says more") from error
    if repository.is_bare or repository.workdir is None:
        raise UsageError("a bare Git repository has no project to open", str(folder), "open a clone with a work tree")
    return repository
