"""The tracked files of one revision, wherever they are: in a Git commit, or in a folder on disk."""

import os
import posixpath
import stat
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pygit2

from tui.store.trees import TreeReader

MAX_BYTES = 64 * 1024 * 1024
"""A params or metrics file larger than this is refused."""
_RACY_NS = 100_000_000


class Files(Protocol):
    """Files below the project's root; paths are relative to it, with slashes."""

    def pipelines(self) -> Sequence[str]:
        """Paths of all dvc.yaml files."""

    def identity(self, path: str) -> Hashable | None:
        """What stays the same exactly as long as the content does; None if there is no such file."""

    def read(self, path: str) -> bytes:
        """Content of a file; OSError or KeyError if it cannot be read."""

    def below(self, path: str) -> list[str]:
        """Paths of all files in a folder; empty if it is none."""


class CommitFiles:
    """Files of a commit."""

    def __init__(self, repository: Any, trees: TreeReader, tree_id: Any, prefix: str = "") -> None:
        self._repository, self._trees = repository, trees
        found = trees.find(tree_id, prefix.rstrip("/")) if prefix else (tree_id, True)
        self._tree_id = found[0] if found is not None and found[1] else None

    def pipelines(self) -> Sequence[str]:
        """Paths of all dvc.yaml files."""
        return self._trees.pipelines(self._tree_id) if self._tree_id is not None else ()

    def identity(self, path: str) -> Hashable | None:
        """Id of the blob."""
        found = self._trees.find(self._tree_id, path) if self._tree_id is not None else None
        return found[0] if found is not None and not found[1] else None

    def read(self, path: str) -> bytes:
        """Content of a file; KeyError if the object is missing, OSError if it is corrupt."""
        try:
            blob = self._repository[self.identity(path)]
        except pygit2.GitError as error:
            raise OSError(f"its Git object is corrupt: {error}") from error
        if blob.size > MAX_BYTES:
            raise OSError(f"is larger than {MAX_BYTES // 2**20} MiB")
        return bytes(blob.data)

    def below(self, path: str) -> list[str]:
        """Paths of all files in a folder."""
        found = self._trees.find(self._tree_id, path) if self._tree_id is not None else None
        return [f"{path}/{name}" for name in self._trees.below(found[0])] if found is not None and found[1] else []


class FolderFiles:
    """Files of a work tree; only paths inside of it are looked at."""

    def __init__(self, root: Path, pipelines: Sequence[str]) -> None:
        self.root, self._pipelines = root, pipelines

    def pipelines(self) -> Sequence[str]:
        """Paths of the dvc.yaml files that are known and still there."""
        return [path for path in self._pipelines if self.identity(path) is not None]

    def identity(self, path: str) -> Hashable | None:
        """Place, size and time of a regular file; never the same twice for one that was written this very moment."""
        target = self._inside(path)
        if target is None:
            return None
        try:
            status = target.stat()
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        now = time.time_ns()
        fresh = now if now - status.st_mtime_ns < _RACY_NS else 0
        return str(target), status.st_ino, status.st_size, status.st_mtime_ns, fresh

    def read(self, path: str) -> bytes:
        """Content of a file; OSError if it cannot be read."""
        target = self._inside(path)
        if target is None:
            raise FileNotFoundError(path)
        if target.stat().st_size > MAX_BYTES:
            raise OSError(f"is larger than {MAX_BYTES // 2**20} MiB")
        return target.read_bytes()

    def below(self, path: str) -> list[str]:
        """Paths of all files in a folder, without following links to other folders."""
        target = self._inside(path)
        if target is None or not target.is_dir():
            return []
        found = []
        for folder, _folders, names in os.walk(target):
            relative = Path(folder).relative_to(self.root).as_posix()
            found += [f"{relative}/{name}" for name in names]
        return sorted(found)

    def _inside(self, path: str) -> Path | None:
        normal = posixpath.normpath(path)
        return None if normal.startswith(("..", "/")) or "\0" in normal else self.root / normal
