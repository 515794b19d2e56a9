"""Watches the DVC cache for files that are missing, at the cost of looking at its folders."""

import os
import time
from collections.abc import Iterable

from tui.store.dvc_cache import DvcCache
from tui.store.git.loose_refs import RACY_NS

_PARTS = ("files/md5", "")  # DVC 2 kept its cache one level higher


class AwaitedFiles:
    """Which revisions wait for which content; a folder that has not changed has got nothing new."""

    def __init__(self, cache: DvcCache) -> None:
        self._cache = cache
        self._revs: dict[str, dict[str, set[str]]] = {}  # first two digits -> md5 -> revisions that wait for it
        self._stamps: dict[str, int] = {}  # folder -> its time when nothing awaited was in it

    def add(self, rev: str, md5s: Iterable[str]) -> None:
        """Let a revision wait for content."""
        for md5 in md5s:
            known = self._revs.setdefault(md5[:2], {})
            if md5 not in known:
                known[md5] = set()
                for folder in self._folders(md5[:2]):
                    self._stamps.pop(folder, None)
            known[md5].add(rev)

    def take_arrived(self) -> set[str]:
        """Revisions for which something has come; they wait no longer."""
        arrived: set[str] = set()
        for digits, known in list(self._revs.items()):
            for folder in self._folders(digits):
                if self._has_changed(folder):
                    found = [md5 for md5 in known if os.path.exists(f"{folder}/{md5[2:]}")]  # noqa: PTH110 - thousands
                    arrived.update(*(known.pop(md5) for md5 in found))
            if not known:
                del self._revs[digits]
        for known in self._revs.values() if arrived else ():
            for revs in known.values():
                revs -= arrived
        return arrived

    def _folders(self, digits: str) -> Iterable[str]:
        return [os.path.join(self._cache.directory, part, digits) for part in _PARTS]  # noqa: PTH118 - no Path needed

    def _has_changed(self, folder: str) -> bool:
        now = time.time_ns()
        try:
            stamp = os.stat(folder).st_mtime_ns  # noqa: PTH116 - a string is enough
        except OSError:
            return False
        if self._stamps.get(folder) == stamp:
            return False
        self._stamps[folder] = stamp if now - stamp >= RACY_NS else -1
        return True
