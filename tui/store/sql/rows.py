"""Rows of a result as plain values, up to a number of rows and a size."""

import math
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from tui.core.errors import UserError
from tui.core.ports import QueryResult

MAX_BYTES = 64 * 1024**2
_CHUNK = 100
_PLAIN = {str, int, bool, type(None), float}


def fetch(cursor: Any, limit: int, notes: tuple[str, ...]) -> QueryResult:
    """The first rows of a result."""
    columns = tuple(str(column[0]) for column in cursor.description or ())
    types = tuple(str(column[1]).strip('"') for column in cursor.description or ())
    _check_zones(columns, types)
    rows: list[tuple[Any, ...]] = []
    size, is_cut = 0, False
    while len(rows) <= limit and not is_cut:
        chunk = cursor.fetchmany(min(_CHUNK, limit + 1 - len(rows)))
        if not chunk:
            break
        for row in chunk:
            values = tuple(value if type(value) in _PLAIN else plain(value) for value in row)
            size += _size(values)
            if size > MAX_BYTES:
                is_cut = True
                break
            rows.append(values)
    if is_cut and not rows:
        raise UserError("one row of the result is too large", f"more than {MAX_BYTES // 1024**2} MB")
    return QueryResult(columns, tuple(rows[:limit]), is_cut or len(rows) > limit, types, notes)


def plain(value: Any) -> Any:
    """The value as text, number, list or mapping; times stay what they are."""
    if type(value) in _PLAIN or isinstance(value, datetime | date | time):
        return value
    if isinstance(value, Decimal):
        number = float(value)
        return number if math.isfinite(number) and Decimal(repr(number)) == value else str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    return str(value)


def _size(values: tuple[Any, ...]) -> int:
    return sum(
        len(value) if type(value) is str else 16 if type(value) in _PLAIN else len(str(value)) for value in values
    )


def _check_zones(columns: tuple[str, ...], types: tuple[str, ...]) -> None:
    """Python has no such values without another package; all our times are UTC anyway."""
    for column, kind in zip(columns, types, strict=True):
        if "WITH TIME ZONE" in kind:
            raise UserError("a time with a zone cannot be shown", column, f"cast it: ({column})::TIMESTAMP")
