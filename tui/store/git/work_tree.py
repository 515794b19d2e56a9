"""Finds the DVC files of a work tree, also those that Git does not know; a folder that did not change costs a stat."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pygit2

from tui.store.git.trees import is_dvc_file
from tui.store.project import Project

MAX_FOLDERS = 3_000
"""In a work tree with more folders than that, some files that Git does not know may not be found."""
_RACY_NS = 100_000_000
_SKIPPED = {".git", ".dvc", ".hg"}
_IGNORE = ".gitignore"


@dataclass(frozen=True, slots=True)
class _Folder:
    """What is in a folder."""

    stamp: tuple[int, int]
    """Its own time, and that of its .gitignore."""
    folders: tuple[str, ...]
    files: tuple[str, ...]
    """DVC's files."""


class WorkTree:
    """Looks into folders, breadth first, but not into those that Git ignores or that are projects of their own."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._root = str(project.root)
        self._known: dict[str, _Folder] = {}
        self._index_stamp: object = None
        self._tracked: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Paths of all dvc.yaml, .dvc and .dvcignore files."""
        found = {"dvc.yaml", *self._in_index(), *self._in_folders()}
        return tuple(sorted(found, key=lambda path: (path.count("/"), path)))

    def _in_index(self) -> tuple[str, ...]:
        index = self._project.git_dir / "index"
        stamp = index.stat().st_mtime_ns if index.exists() else None
        if stamp is None or stamp != self._index_stamp:
            self._tracked, self._index_stamp = tuple(_tracked(self._project)), stamp
        return self._tracked

    def _in_folders(self) -> Iterator[str]:
        seen: dict[str, _Folder] = {}
        waiting = [""]
        while waiting and len(seen) < MAX_FOLDERS:
            following: list[str] = []
            for path in waiting:
                folder = self._look(path)
                if folder is not None:
                    seen[path] = folder
                    prefix = f"{path}/" if path else ""
                    yield from (prefix + name for name in folder.files)
                    following += (prefix + name for name in folder.folders)
            waiting = following
        self._known = seen

    def _look(self, path: str) -> _Folder | None:
        place = f"{self._root}/{path}" if path else self._root
        known = self._known.get(path)
        try:
            stamp = (os.stat(place).st_mtime_ns, _time_of(f"{place}/{_IGNORE}"))  # noqa: PTH116 - thousands of them
            is_fresh = time.time_ns() - max(stamp) < _RACY_NS
            if known is not None and known.stamp == stamp and not is_fresh:
                return known
            if known is not None and known.stamp[1] != stamp[1]:
                self._known = {}  # what is below may be ignored now, or no longer
            return self._scan(path, place, stamp)
        except OSError:
            return None

    def _scan(self, path: str, place: str, stamp: tuple[int, int]) -> _Folder:
        with os.scandir(place) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        if path and (".dvc", True) in found:
            return _Folder(stamp, (), ())
        prefix = self._project.prefix + (f"{path}/" if path else "")
        folders = (name for name, is_folder in found if is_folder and name not in _SKIPPED)
        files = (name for name, is_folder in found if not is_folder and is_dvc_file(name))
        return _Folder(
            stamp,
            tuple(name for name in folders if not self._is_ignored(f"{prefix}{name}/")),
            tuple(name for name in files if not self._is_ignored(prefix + name)),
        )

    def _is_ignored(self, path: str) -> bool:
        with suppress(pygit2.GitError, ValueError, OSError):
            return bool(self._project.repository.path_is_ignored(path))
        return False


def _time_of(place: str) -> int:
    try:
        return os.stat(place).st_mtime_ns  # noqa: PTH116 - thousands of them
    except OSError:
        return 0


def _tracked(project: Project) -> Iterator[str]:
    try:
        project.repository.index.read(False)
        names: list[Any] = [entry.path for entry in project.repository.index]
    except (OSError, pygit2.GitError):
        return
    for name in names:
        if name.startswith(project.prefix) and is_dvc_file(name.rpartition("/")[2]):
            yield name.removeprefix(project.prefix)
