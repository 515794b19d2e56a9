"""Where the content of a file of a commit is: in Git, in the DVC cache, or not here."""

from pathlib import Path
from typing import NamedTuple

from tui.store.dvc_cache import DvcCache
from tui.store.git.files import MAX_BYTES, Files, TooLargeError
from tui.store.layouts.dvc_files import Outs

MAX_SERIES_BYTES = 4 * MAX_BYTES
"""Nothing is read from a larger file of the DVC cache."""


class Place(NamedTuple):
    """Content of a file."""

    path: str
    content: str
    """Its hash."""
    file: Path | None = None
    """Where in the DVC cache; None if it is in Git, or not here."""
    is_missing: bool = False
    """Whether it is neither in Git nor in the DVC cache."""


class Places:
    """Finds and reads the files of one commit."""

    def __init__(self, files: Files, cache: DvcCache, outs: Outs) -> None:
        self._files, self._cache, self._outs = files, cache, outs

    def find(self, path: str) -> Place | None:
        """Where a file is; None if there is no such file."""
        identity = self._files.identity(path)
        if identity is not None:
            return Place(path, str(identity))
        file = self._cache.find(path, self._outs)
        if file is not None:
            return Place(path, file.parent.name + file.name, file)
        awaited = self._cache.awaited(path, self._outs)
        return Place(path, awaited[0], is_missing=True) if awaited else None

    def read(self, place: Place) -> bytes:
        """Content of a file that is not missing; KeyError or OSError if it cannot be read."""
        if place.file is None:
            return self._files.read(place.path)
        size = place.file.stat().st_size
        if size > MAX_SERIES_BYTES:
            raise TooLargeError(place.path, size, MAX_SERIES_BYTES)
        return place.file.read_bytes()

    def below(self, path: str) -> list[str]:
        """Files of a folder in the DVC cache."""
        return self._cache.below(path, self._outs)

    def live_folders(self) -> list[str]:
        """Folders that dvclive may have filled and that are in the DVC cache as a whole."""
        names = ((out, out.rpartition("/")[2]) for out in self._outs)
        return [f"{out}/metrics" if name == "plots" else f"{out}/plots/metrics" for out, name in names if name in _LIVE]


_LIVE = {"dvclive", "plots"}
