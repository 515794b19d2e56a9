"""A table as text for other programs: CSV, Markdown, JSON."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

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
    found = [record(columns, [_plain(cell) for cell in row]) for row in rows]
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


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
        return json.dumps(_plain(value), ensure_ascii=False)
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime | date | time) else value


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>")
