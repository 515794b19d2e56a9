"""How the command line prints: tables as text, Markdown or CSV, values as JSON, errors in one line."""

import json
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import orjson

from tui.core.keys import MISSING
from tui.core.plain import plain
from tui.core.visible import visible

_DRIVING = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters that JSON lets stand, and those that change the direction of text."""
_MAY_DRIVE = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2(?:\x80[\x8e\x8f\xaa-\xae]|\x81[\xa6-\xa9])")
"""The same in UTF-8."""
_FIRST_BYTES = (b"\x7f", b"\xc2", b"\xd8", b"\xe2")
"""How they begin: looking for these costs next to nothing."""
Format = Literal["text", "json", "csv", "md"]


def has_terminal() -> bool:
    """Whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def print_line(text: str = "") -> None:
    """One line on standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_error(text: str) -> None:
    """One message on standard error; its lines stay lines."""
    sys.stderr.write("finetui: " + "\n".join(map(visible, text.split("\n"))) + "\n")


def print_json(value: Any) -> None:
    """A value as JSON: dates in ISO 8601, paths as text, no NaN."""
    try:
        data = orjson.dumps(value, default=_plain_rest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except (TypeError, RecursionError):
        # keys that are no text, large numbers, broken text that cannot be written unless it is escaped
        print_line(json.dumps(plain(value), indent=2, allow_nan=False))
    else:
        _print_bytes(_escaped(data))


def _escaped(data: bytes) -> bytes:
    """JSON that cannot drive a terminal or turn its text around; all such characters are within texts."""
    if not any(byte in data for byte in _FIRST_BYTES) or not _MAY_DRIVE.search(data):
        return data
    return _DRIVING.sub(lambda match: f"\\u{ord(match[0]):04x}", data.decode()).encode()


def _print_bytes(data: bytes) -> None:
    """UTF-8 on standard output, without a copy of it as text where there is a file below."""
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(data.decode())
    else:
        sys.stdout.flush()
        binary.write(data)
    sys.stdout.flush()


def _plain_rest(value: Any) -> Any:
    """A value that orjson does not know; the mappings, dates and numbers that it knows it writes as `plain` does."""
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else plain(value)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], form: Format = "text") -> None:
    """A table of ready-made texts."""
    if form not in {"csv", "md"}:
        _print_aligned(headers, rows)
        return
    from tui.core.table_text import as_csv, as_markdown

    if form == "csv" and sys.stdout.isatty():  # a file gets every character
        headers, *rows = [[visible(cell) for cell in row] for row in (headers, *rows)]
    sys.stdout.write((as_csv if form == "csv" else as_markdown)(headers, rows))
    sys.stdout.flush()


def _print_aligned(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    cells = [[visible(cell) for cell in row] for row in (headers, *rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(headers))]
    right = [all(_is_number(row[column]) for row in cells[1:]) and len(cells) > 1 for column in range(len(headers))]
    for row in cells:
        padded = [_pad(cell, width, is_right) for cell, width, is_right in zip(row, widths, right, strict=True)]
        print_line("  ".join(padded).rstrip())


def table_width(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Columns of a terminal that a table takes as text."""
    cells = [[visible(cell) for cell in row] for row in (headers, *rows)]
    return sum(max(_width(row[column]) for row in cells) + 2 for column in range(len(headers))) - 2


def raw(value: Any) -> str:
    """A value for another program: every digit, no unit; empty where there is none."""
    if value is MISSING or value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _pad(text: str, width: int, is_right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if is_right else text + space


def _is_number(text: str) -> bool:
    return text in {"", "-"} or text[:1] in "+-.0123456789▲▼="
