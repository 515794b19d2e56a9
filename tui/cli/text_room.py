"""Text cut to the room that a terminal leaves for it."""

import shutil
import sys

_MIN_WIDTH = 12


def room_beside(taken: int) -> int | None:
    """Width of a terminal that is left beside other columns; None where nothing is cut."""
    return max(_MIN_WIDTH, shutil.get_terminal_size().columns - taken) if sys.stdout.isatty() else None


def shorten(text: str, room: int | None) -> str:
    """Text that fits; what is cut says so."""
    return text if room is None or len(text) <= room else f"{text[: room - 1]}…"
