"""Follows a file of lines that is being written: reads what is new, awaits a torn line, starts over if replaced."""

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from tui.store.series.points import Decoder

_ANCHOR_BYTES = 256
_CHUNK_BYTES = 32 * 2**20
_SETTLED_NS = 10 * 10**9
Result = TypeVar("Result")


class Tail(Generic[Result]):
    """One file that may grow."""

    def __init__(
        self,
        path: Path,
        make_decoder: Callable[[], Decoder[Result]],
        finish: Callable[[Decoder[Result], bytes], Result] | None = None,
    ) -> None:
        """`finish` tells what a decoder knows if a file has ended with these bytes."""
        self._path, self._make_decoder, self._finish = path, make_decoder, finish
        self._restart(None)

    def _restart(self, identity: tuple[int, int] | None) -> None:
        self._identity = identity
        self._offset, self._stamp, self._is_settled = 0, (-1, -1), False
        self._anchor = b""
        self._decoder = self._make_decoder()
        self._result = self._decoder.result()

    def read(self) -> Result:
        """All so far; the same objects as before if nothing has come."""
        try:
            status = self._path.stat()
        except OSError:
            self._restart(None)
            return self._result
        identity = (status.st_dev, status.st_ino)
        if identity != self._identity or status.st_size < self._offset:
            self._restart(identity)
        stamp = (status.st_size, status.st_mtime_ns)
        if stamp == self._stamp:
            self._settle(*stamp)
            return self._result
        self._stamp = stamp
        if self._is_settled:  # it goes on after all
            self._is_settled, self._result = False, self._decoder.result()
        data = self._new_data()
        if data is None:
            self._restart(identity)
            self._stamp = stamp
            data = self._new_data() or b""
        while self._take(data) and len(data) >= _CHUNK_BYTES:
            data = self._new_data() or b""
        self._settle(*stamp)
        return self._result

    def _settle(self, size: int, time_ns: int) -> None:
        """Nobody goes on writing an old file: its last line is complete although nothing ends it."""
        if self._is_settled or self._finish is None or time.time_ns() - time_ns < _SETTLED_NS:
            return
        if size > self._offset:
            self._is_settled = True
            self._result = self._finish(copy.deepcopy(self._decoder), self._new_data() or b"")

    def _new_data(self) -> bytes | None:
        """Bytes after those that were read; None if those are no longer there, so that the file was written anew."""
        start = self._offset - len(self._anchor)
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                data = file.read(len(self._anchor) + _CHUNK_BYTES)
        except OSError:
            return b""
        return data[len(self._anchor) :] if data.startswith(self._anchor) else None

    def _take(self, data: bytes) -> bool:
        """Decode complete lines; whether there were any."""
        complete = data[: data.rfind(b"\n") + 1]
        if complete:
            self._decoder.feed(complete)
            self._offset += len(complete)
            self._anchor = (self._anchor + complete)[-_ANCHOR_BYTES:]
            self._result = self._decoder.result()
        return bool(complete)
