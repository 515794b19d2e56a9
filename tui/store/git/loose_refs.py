"""Files of refs: each is read once for as long as it stays the same, and a folder in which nothing moved is not listed.

Git replaces a ref by a rename, which changes the time of its folder and gives the file another inode or another time.
"""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

RACY_NS = 100_000_000
"""What was written more recently may be written again at what looks like the same time."""
_LONGEST = 4096
_CHECKED_AT_ONCE = 1_500
_LINE = re.compile(rb"^([0-9a-f]{40,64}) ([^\n]+)(?:\n\^([0-9a-f]{40,64}))?", re.MULTILINE)


@dataclass(slots=True)
class RefFolder:
    """What a folder below `refs` held when it was listed."""

    stamp: int = -1
    """Time of the folder; -1 if it may have changed since."""
    refs: dict[str, str] = field(default_factory=dict)
    """Name -> content, which is a SHA, `ref: ` and the name of another ref, or broken; by name."""
    folders: tuple[str, ...] = ()
    states: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Name -> inode and time of the file that was read; a time below zero if it may have changed since."""
    unchecked: list[str] = field(default_factory=list)
    """Names whose inode is as before, and whose time has not been looked at yet."""


class LooseRefs:
    """Refs that are files of their own, by folder."""

    def __init__(self, common_dir: Path) -> None:
        self._root = str(common_dir)
        self.folders: dict[str, RefFolder] = {}
        """Path, as `refs/heads`, -> what it holds; replaced as a whole when something in it changes."""

    def refresh(self) -> bool:
        """Look for changes; whether there are any."""
        found: dict[str, RefFolder] = {}
        pending = ["refs"]
        while pending:
            path = pending.pop()
            folder = self._folder(path)
            if folder is not None:
                found[path] = folder
                pending += [f"{path}/{name}" for name in folder.folders]
        changed = found.keys() != self.folders.keys() or any(
            folder is not self.folders[path] for path, folder in found.items()
        )
        self.folders = found
        return changed

    def get(self, ref: str) -> str | None:
        """Content of a ref; None if it is no file."""
        path, _, name = ref.rpartition("/")
        folder = self.folders.get(path)
        return folder.refs.get(name) if folder is not None else None

    def _folder(self, path: str) -> RefFolder | None:
        place, known = f"{self._root}/{path}", self.folders.get(path)
        now = time.time_ns()
        try:
            stamp = os.stat(place).st_mtime_ns  # noqa: PTH116 - there may be thousands
            if known is not None and known.stamp == stamp and not known.unchecked:
                return known
            folder = _list(place, known, now) if known is None or known.stamp != stamp else _copy(known)
            _check(place, folder, now)
        except OSError:
            return None
        folder.stamp = stamp if now - stamp >= RACY_NS else -1
        if known is not None and (known.refs, known.folders) == (folder.refs, folder.folders):
            known.stamp, known.states, known.unchecked = folder.stamp, folder.states, folder.unchecked
            return known
        return folder


def _copy(folder: RefFolder) -> RefFolder:
    return RefFolder(-1, dict(folder.refs), folder.folders, dict(folder.states), list(folder.unchecked))


def _list(place: str, known: RefFolder | None, now: int) -> RefFolder:
    """What is in a folder; files are read that are new or have another inode."""
    known, folder = known or RefFolder(), RefFolder()
    with os.scandir(place) as entries:
        kinds = [(entry.name, entry.inode(), entry.is_dir(follow_symlinks=False)) for entry in entries]
    folder.folders = tuple(sorted(name for name, _, is_folder in kinds if is_folder))
    inodes = {name: inode for name, inode, is_folder in kinds if not is_folder and not name.endswith(".lock")}
    names = [name for name in known.refs if name in inodes]  # sorted already, which makes sorting cheap
    names += [name for name in inodes if name not in known.refs]
    refs, states = known.refs, known.states
    changed = []
    for name in sorted(names):
        state = states.get(name)
        if state is not None and state[0] == inodes[name]:
            folder.refs[name], folder.states[name] = refs[name], state
        else:
            folder.refs[name] = ""
            changed.append(name)
    folder.unchecked = sorted(folder.states, key=lambda name: folder.states[name][1] >= 0)  # what was fresh comes first
    _read_all(place, folder, changed, now)
    return folder


def _check(place: str, folder: RefFolder, now: int) -> None:
    """Look at the times of some files whose inode is as before: it may have been given to another file since.

    That takes two changes of a ref between two looks; in a very large folder such a change is seen some looks later.
    """
    some, folder.unchecked = folder.unchecked[:_CHECKED_AT_ONCE], folder.unchecked[_CHECKED_AT_ONCE:]
    if some:
        _read_all(place, folder, some, now)


def _read_all(place: str, folder: RefFolder, names: list[str], now: int) -> None:
    """Read the files that are not as they were when they were read before."""
    descriptor = os.open(place, os.O_RDONLY)  # paths of one part are looked up twice as fast
    try:
        for name in names:
            try:
                known = folder.states.get(name)
                if known is not None:
                    status = os.stat(name, dir_fd=descriptor)
                    if known == (status.st_ino, status.st_mtime_ns) and now - status.st_mtime_ns >= RACY_NS:
                        continue
                folder.refs[name], inode, stamp = _read(name, descriptor)
                folder.states[name] = inode, stamp if now - stamp >= RACY_NS else -1
            except OSError:  # removed while we looked, or not to be read by us
                folder.refs.pop(name, None)
                folder.states.pop(name, None)
    finally:
        os.close(descriptor)


def _read(name: str, folder: int) -> tuple[str, int, int]:
    """Content, inode and time of a file."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        content = os.read(descriptor, _LONGEST).decode(errors="replace").strip()
        return content, status.st_ino, status.st_mtime_ns
    finally:
        os.close(descriptor)


class PackedRefs:
    """Refs in the file `packed-refs`, which is parsed once per change."""

    def __init__(self, common_dir: Path) -> None:
        self._place = common_dir / "packed-refs"
        self._stamp: tuple[int, ...] | None = ()
        self.folders: Mapping[str, dict[str, str]] = {}
        """Path, as `refs/heads`, -> name -> SHA."""
        self.peeled: dict[str, str] = {}
        """SHA of an annotated tag -> SHA of what it points at."""

    def refresh(self) -> bool:
        """Look for changes; whether there are any."""
        now = time.time_ns()
        try:
            status = self._place.stat()
            stamp: tuple[int, ...] | None = (status.st_ino, status.st_size, status.st_mtime_ns)
            fresh = now - status.st_mtime_ns < RACY_NS
            if stamp == self._stamp:
                return False
            data = self._place.read_bytes()
        except OSError:
            stamp, fresh, data = None, False, b""
            if self._stamp is None:
                return False
        self._stamp = () if fresh else stamp
        before = self.folders
        self._parse(data)
        return before != self.folders

    def get(self, ref: str) -> str | None:
        """SHA of a ref; None if it is not packed."""
        path, _, name = ref.rpartition("/")
        return self.folders.get(path, {}).get(name)

    def _parse(self, data: bytes) -> None:
        folders: dict[str, dict[str, str]] = {}
        self.peeled = {}
        for sha, ref, peeled in _LINE.findall(data):
            path, _, name = os.fsdecode(ref).rpartition("/")
            folders.setdefault(path, {})[name] = sha.decode()
            if peeled:
                self.peeled[sha.decode()] = peeled.decode()
        self.folders = folders
