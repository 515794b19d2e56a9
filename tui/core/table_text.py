"""A table as text for other programs: CSV, Markdown, JSON."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from tui.core.plain import plain
from tui.core.visible import visible

Row = Sequence[Any]


def as_csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """One line for each row; null is an empty field.

    >>> as_csv(["name", "value"], [["a,b", None]])
    'name,value\\n"a,b",\\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *([cell_text(cell) for cell in row] for row in rows)])
    return text.getvalue()


def as_markdown(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A table of GitHub's kind; null is an empty cell."""
    lines = [list(columns), ["---"] * len(columns), *([cell_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines) + "\n"


def as_json(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A list of objects; what is not finite is null."""
    return (
        json.dumps([plain(record(columns, row)) for row in rows], indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    )


def record(columns: Sequence[str], row: Row) -> dict[str, Any]:
    """Column -> value; columns of the same name are told apart, as an object holds only one of them.

    >>> record(["a", "a"], [1, 2])
    {'a': 1, 'a_2': 2}
    """
    values: dict[str, Any] = {}
    for index, (column, value) in enumerate(zip(columns, row, strict=True), 1):
        values[column if column not in values else f"{column}_{index}"] = value
    return values


def cell_text(value: Any) -> str:
    """A value in full; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return json.dumps(plain(value), ensure_ascii=False)
    return str(value)


def _escaped(text: str) -> str:
    lines = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split("\n")
    return "<br>".join(map(visible, lines))
