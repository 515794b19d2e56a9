"""Reads a growing log piece by piece, never splitting a character."""

from pathlib import Path

_MAX_BYTES = 1 << 20
_MAX_CHARACTER_BYTES = 4


def read_text(path: Path, offset: int) -> tuple[str, int]:
    """Text from a byte offset on, and the offset to go on from; an unfinished character is left for the next call."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, offset))
            data = log.read(_MAX_BYTES)
    except FileNotFoundError:
        return "", offset
    data = data[: len(data) - _unfinished(data)]
    return data.decode("utf-8", "replace"), max(0, offset) + len(data)


def _unfinished(data: bytes) -> int:
    """Bytes at the end that begin a character without ending it."""
    for length in range(1, min(_MAX_CHARACTER_BYTES, len(data) + 1)):
        byte = data[-length]
        if byte & 0b1100_0000 == 0b1100_0000:
            needed = 2 if byte < 0b1110_0000 else 3 if byte < 0b1111_0000 else 4
            return length if needed > length else 0
        if byte < 0b1000_0000:
            return 0
    return 0
