"""Untrusted text made safe for the terminal, and text fitted to a number of terminal cells."""

import re
from typing import Literal

from rich.cells import cell_len, set_cell_size

Align = Literal["left", "right", "center"]

ELLIPSIS = "…"
REPLACEMENT = "�"
_LINE_BREAK = "⏎"
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_MODIFIERS = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")
"""Emoji presentation and skin tones: terminals do not agree on how wide what they change is."""
_JOINERS = re.compile("(?<=[\u2190-\u2bff\U0001f000-\U0001faff])\u200d+")
"""What makes one picture of several, in some terminals; among letters it has another meaning."""
_CHARS_PER_CELL = 8  # more characters than this in one cell are combining marks stacked by a prankster


def neutral(text: str, *, multiline: bool = False) -> str:
    """Text without control, direction or invisible characters, which leave a visible trace, and as wide everywhere.

    >>> neutral("a\\x1b[2Jb")
    'a␛[2Jb'
    """
    if not text.isascii():
        text = _MODIFIERS.sub("", text)
    return text if text.isprintable() else _JOINERS.sub("", _visible_text(text, multiline))


def _visible_text(text: str, multiline: bool) -> str:
    text = text.replace("\r\n", "\n").replace("\t", "    " if multiline else " ")
    if multiline:
        return "\n".join(_UNSAFE.sub(_visible, line) for line in text.split("\n"))
    return _UNSAFE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    char = match.group()
    if char in "\n\u2028\u2029":
        return _LINE_BREAK
    if char < " ":
        return chr(0x2400 + ord(char))
    return {"\x7f": "␡", "\xad": "-"}.get(char, REPLACEMENT)


def cell_width(text: str) -> int:
    """Number of terminal cells that the text takes."""
    return len(text) if text.isascii() else cell_len(text)


def shorten(text: str, width: int) -> str:
    """Text of at most `width` cells; a cut is shown by an ellipsis.

    >>> shorten("learning_rate", 8)
    'learnin…'
    """
    if width <= 0:
        return ""
    limit = width * _CHARS_PER_CELL
    was_long = len(text) > limit
    text = text[:limit]
    if not was_long and cell_width(text) <= width:
        return text
    return set_cell_size(text, min(width - 1, cell_width(text))) + ELLIPSIS


def fit(text: str, width: int, align: Align = "left") -> str:
    """Text of exactly `width` cells, cut or padded.

    >>> fit("0.5", 6, "right")
    '   0.5'
    """
    text = shorten(text, width)
    spare = width - cell_width(text)
    left = {"left": 0, "right": spare, "center": spare // 2}[align]
    return " " * left + text + " " * (spare - left)
