"""Hashes as DVC 3.67 computes them, of the files that a run will see: tracked ones, and what DVC keeps in its cache."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline.contract.yaml12 import load_yaml
from tui.dvc.config import cache_directory
from tui.dvc.declared import overlaps
from tui.dvc.git import git

_MEMO: dict[tuple[str, int, int, int, int], str] = {}
_CHUNK_BYTES = 1 << 20


class UnknownHashError(Exception):
    """A hash that cannot be told without running DVC; the text says why."""


class Cache:
    """DVC's cache, read only."""

    def __init__(self, root: Path) -> None:
        self._directory = cache_directory(root) / "files" / "md5"

    def has(self, md5: str) -> bool:
        """Whether an object is there; of a folder, with all of its files."""
        if not self._path(md5).exists():
            return False
        return not md5.endswith(".dir") or all(self._path(part).exists() for part in self.listing(md5).values())

    def listing(self, md5: str) -> dict[str, str]:
        """Files of a cached folder: relative path -> hash."""
        try:
            entries = json.loads(self._path(md5).read_bytes())
            return {entry["relpath"]: entry["md5"] for entry in entries}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnknownHashError(f"the list of files {md5} is not in the cache") from error

    def _path(self, md5: str) -> Path:
        return self._directory / md5[:2] / md5[2:]


class TrackedFiles:
    """The files of a work tree that Git or `dvc add` knows."""

    def __init__(self, root: Path, replaced: dict[str, str] | None = None) -> None:
        self._root = root
        self._replaced = replaced or {}
        self._cache = Cache(root)
        ignored = _list(root, "--cached", "--ignored", "--exclude-per-directory=.dvcignore")
        self._files = [path for path in _list(root, "--cached") if path not in ignored]
        self._added = dict(_added_outputs(root, self._files))

    def hash_of(self, path: str) -> str | None:
        """Hash of a file or folder; None when there is none. UnknownHashError when only DVC can tell."""
        for added, md5 in self._added.items():
            if path == added:
                return md5
            if path.startswith(f"{added}/"):
                return self._part_of(md5, path.removeprefix(f"{added}/"))
        if path in self._files:
            return self._file_hash(path)
        return self._folder_hash(path)

    def is_added(self, path: str) -> bool:
        """Whether `dvc add` keeps the path, or something in it."""
        return any(overlaps(path, added) for added in self._added)

    def flags_of(self, path: str) -> dict[str, bool]:
        """What DVC notes of a file besides its hash."""
        return {"isexec": True} if path in self._files and os.access(self._root / path, os.X_OK) else {}

    def _part_of(self, md5: str, name: str) -> str | None:
        listing = self._cache.listing(md5)
        return listing.get(name) or directory_hash(
            {key.removeprefix(f"{name}/"): value for key, value in listing.items() if key.startswith(f"{name}/")}
        )

    def _folder_hash(self, path: str) -> str | None:
        prefix = "" if path == "." else f"{path}/"
        entries: dict[str, str] = {}
        for file in self._files:
            if file.startswith(prefix) and (self._root / file).exists():
                entries[file.removeprefix(prefix)] = self._file_hash(file) or ""
        for added, md5 in self._added.items():
            if added.startswith(prefix):
                entries.update(self._expanded(added.removeprefix(prefix), md5))
        return directory_hash(entries)

    def _expanded(self, name: str, md5: str) -> dict[str, str]:
        if not md5.endswith(".dir"):
            return {name: md5}
        return {f"{name}/{part}": value for part, value in self._cache.listing(md5).items()}

    def _file_hash(self, path: str) -> str | None:
        if path in self._replaced:
            return hashlib.md5(self._replaced[path].encode(), usedforsecurity=False).hexdigest()
        return file_hash(self._root / path)


def file_hash(path: Path) -> str | None:
    """MD5 of a file; None when it is gone. Remembered for as long as the file's inode, size and times stay the same."""
    try:
        stat = path.stat()
        key = (str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if key not in _MEMO:
            digest = hashlib.md5(usedforsecurity=False)
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
            _MEMO[key] = digest.hexdigest()
        return _MEMO[key]
    except OSError:
        return None


def directory_hash(entries: dict[str, str]) -> str | None:
    """Hash of a folder from its files' relative paths and hashes; None when it is empty."""
    if not entries:
        return None
    listing = [{"md5": entries[name], "relpath": name} for name in sorted(entries)]
    text = json.dumps(listing, sort_keys=True).encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest() + ".dir"


def _list(root: Path, *options: str) -> dict[str, None]:
    names = git(root, "ls-files", "-z", *options).split("\0")
    return dict.fromkeys(filter(None, names))


def _added_outputs(root: Path, files: list[str]) -> Iterator[tuple[str, str]]:
    for file in files:
        if file.endswith(".dvc") and not file.startswith(".dvc/"):
            folder = Path(file).parent
            for out in _outputs(root / file):
                if isinstance(out, dict) and "path" in out and out.get("hash") == "md5" and "md5" in out:
                    yield (folder / str(out["path"])).as_posix(), str(out["md5"])


def _outputs(path: Path) -> list[Any]:
    try:
        value = load_yaml(path.read_bytes())
    except (OSError, yaml.YAMLError):
        return []
    outs = value.get("outs") if isinstance(value, dict) else None
    return outs if isinstance(outs, list) else []
