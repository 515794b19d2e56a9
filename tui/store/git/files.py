"""The tracked files of one revision, wherever they are: in a Git commit, or in a folder on disk."""

import os
import posixpath
import stat
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pygit2

from tui.store.git.trees import TreeReader

MAX_BYTES = 64 * 1024 * 1024
"""A params or metrics file larger than this is refused."""
CONFIG = ".dvc/config"
PIPELINE = "dvc.yaml"
WORKSPACE = "workspace"
"""The revision that is a work tree."""
_RACY_NS = 100_000_000
_MAX_HASHED = 4 * 1024 * 1024
_MAX_IDS = 50_000


MAX_PIPELINE_BYTES = 4 * 1024 * 1024
"""A dvc.yaml larger than this is refused: DVC would read it for minutes."""


class TooLargeError(OSError):
    """A file that is not read because of its size."""

    def __init__(self, path: str, size: int, limit: int | None = None) -> None:
        self.path, self.size = path, size
        self.limit = max_bytes(path) if limit is None else limit
        super().__init__(f"is larger than {self.limit // 2**20} MiB")


def max_bytes(path: str) -> int:
    """How large a file may be."""
    return MAX_PIPELINE_BYTES if path.endswith(PIPELINE) else MAX_BYTES


class Files(Protocol):
    """Files below the project's root; paths are relative to it, with slashes."""

    @property
    def origin(self) -> tuple[Path, str]:
        """Root of the project, and the revision in it, or `workspace`: how to ask DVC about these files."""

    @property
    def is_absent(self) -> bool:
        """Whether the folder of the project is not there at all."""

    def pipelines(self) -> Sequence[str]:
        """Paths of all dvc.yaml files."""

    def dvc_files(self) -> tuple[tuple[str, Hashable], ...]:
        """Paths and identities of all dvc.yaml, .dvc and .dvcignore files, and of .dvc/config."""

    def identity(self, path: str) -> Hashable | None:
        """What stays the same exactly as long as the content does; None if there is no such file."""

    def read(self, path: str) -> bytes:
        """Content of a file; OSError or KeyError if it cannot be read."""

    def below(self, path: str) -> list[str]:
        """Paths of all files in a folder; empty if it is none."""


def pipelines_of(names: tuple[tuple[str, Hashable], ...]) -> tuple[str, ...]:
    """The dvc.yaml files among DVC's files."""
    return tuple(path for path, _ in names if path == PIPELINE or path.endswith("/" + PIPELINE))


_Stamp = tuple[int, int, int, int]
_ids: dict[str, tuple[_Stamp, Hashable]] = {}


def _content_id(place: str, status: os.stat_result) -> Hashable:
    """Blob id of a file, worked out again only when the file may have changed."""
    stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    is_fresh = time.time_ns() - status.st_mtime_ns < _RACY_NS  # it may be written again at the same time stamp
    if status.st_size > _MAX_HASHED:
        return place, *stamp, time.time_ns() if is_fresh else 0
    known = _ids.get(place)
    if known is not None and known[0] == stamp and not is_fresh:
        return known[1]
    found: Hashable = pygit2.hash(Path(place).read_bytes())
    if not is_fresh:
        if len(_ids) >= _MAX_IDS:
            _ids.clear()
        _ids[place] = (stamp, found)
    return found


class CommitFiles:
    """Files of a commit."""

    def __init__(self, repository: Any, trees: TreeReader, tree_id: Any, prefix: str = "", rev: str = "HEAD") -> None:
        self._repository, self._trees, self._prefix, self._rev = repository, trees, prefix, rev
        found = trees.find(tree_id, prefix.rstrip("/")) if prefix else (tree_id, True)
        self._tree_id = found[0] if found is not None and found[1] else None
        self._dvc_files: tuple[tuple[str, Hashable], ...] | None = None

    @property
    def origin(self) -> tuple[Path, str]:
        """Root of the project, and the SHA."""
        return Path(self._repository.workdir or self._repository.path, self._prefix).resolve(), self._rev

    @property
    def is_absent(self) -> bool:
        """Whether the commit does not have the folder of the project."""
        return self._tree_id is None

    def pipelines(self) -> Sequence[str]:
        """Paths of all dvc.yaml files."""
        return pipelines_of(self.dvc_files())

    def dvc_files(self) -> tuple[tuple[str, Hashable], ...]:
        """Paths and blob ids of all dvc.yaml, .dvc and .dvcignore files, and of .dvc/config."""
        if self._dvc_files is None and self._tree_id is not None:
            config = self._trees.find(self._tree_id, CONFIG)
            own = () if config is None else ((CONFIG, config[0]),)
            self._dvc_files = (*own, *self._trees.dvc_files(self._tree_id))
        return self._dvc_files or ()

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
        if not isinstance(blob, pygit2.Blob):
            raise OSError("is a submodule")
        if blob.size > max_bytes(path):
            raise TooLargeError(path, blob.size)
        return bytes(blob.data)

    def below(self, path: str) -> list[str]:
        """Paths of all files in a folder."""
        found = self._trees.find(self._tree_id, path) if self._tree_id is not None else None
        return [f"{path}/{name}" for name in self._trees.below(found[0])] if found is not None and found[1] else []


class FolderFiles:
    """Files of a work tree as they are when they are first looked at; only paths inside of it are."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self.root, self._names = root, names
        self._base = f"{root}/"
        self._ids: dict[str, Hashable | None] = {}

    def again(self) -> "FolderFiles":
        """The same files as they are now."""
        return FolderFiles(self.root, self._names)

    @property
    def origin(self) -> tuple[Path, str]:
        """The folder."""
        return self.root, WORKSPACE

    @property
    def is_absent(self) -> bool:
        """Whether the folder is gone."""
        return not self.root.is_dir()

    def pipelines(self) -> Sequence[str]:
        """Paths of the dvc.yaml files that are known and still there."""
        return pipelines_of(self.dvc_files())

    def dvc_files(self) -> tuple[tuple[str, Hashable], ...]:
        """Those of the dvc.yaml, .dvc and .dvcignore files that are known and still there, and .dvc/config."""
        found = ((path, self.identity(path)) for path in dict.fromkeys((CONFIG, *self._names)))
        return tuple((path, identity) for path, identity in found if identity is not None)

    def identity(self, path: str) -> Hashable | None:
        """Id that its content has, or would have, as a Git blob; of a large file its place, size and time."""
        if path not in self._ids:
            self._ids[path] = self._identity(path)
        return self._ids[path]

    def _identity(self, path: str) -> Hashable | None:
        normal = posixpath.normpath(path)
        if not _is_inside(normal):
            return None
        place = self._base + normal
        try:
            status = os.stat(place)  # noqa: PTH116 - there may be thousands of .dvc files
            return _content_id(place, status) if stat.S_ISREG(status.st_mode) else None
        except OSError:
            return None

    def read(self, path: str) -> bytes:
        """Content of a file; OSError if it cannot be read."""
        target = self._inside(path)
        if target is None:
            raise FileNotFoundError(path)
        size = target.stat().st_size
        if size > max_bytes(path):
            raise TooLargeError(path, size)
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
        return self.root / normal if _is_inside(normal) else None


def _is_inside(normal: str) -> bool:
    return not normal.startswith(("..", "/")) and "\0" not in normal
