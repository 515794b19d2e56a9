"""A result as rows of a table."""

import json
from collections.abc import Sequence
from typing import Any

from tui.core.ports import QueryResult
from tui.widgets.table import Cell, Column

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
            "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "BIGNUM")  # fmt: skip
_REVS = {"rev", "baseline", "snapshot"}
_SHA_LENGTH, _SHORT = 40, 7
_LARGEST_WHOLE = 1e15
NULL: Cell = ("NULL", "muted")


class ResultRows:
    """Formats only what is in view."""

    def __init__(self, result: QueryResult, request: int) -> None:
        self.result = result
        self._columns = {f"{request}.{index}": index for index in range(len(result.columns))}
        self._order: Sequence[int] = range(len(result.rows))
        self.sort: tuple[str, bool] | None = None
        """Column key, and whether the largest value is first; None keeps the order of the query."""

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self.result.rows)

    def columns(self) -> list[Column]:
        """Columns for the table; their keys are others for every query, and so are their widths."""
        types = self.result.types or ("",) * len(self.result.columns)
        return [
            Column(key, self.result.columns[index], "right" if types[index].startswith(_NUMBERS) else "left")
            for key, index in self._columns.items()
        ]

    def cell(self, row: int, column: str) -> Cell:
        """Content of a cell."""
        index = self._columns[column]
        return shown(self.result.rows[self._order[row]][index], self.result.columns[index])

    def key(self, row: int) -> str:
        """Its number in the result: rows of a query have no other identity."""
        return str(self._order[row])

    def turn_sort(self, column: str) -> None:
        """Sort by a column, the largest first, then the smallest, then not at all; null is last either way."""
        turns = (None, (column, True), (column, False))
        now = turns.index(self.sort) if self.sort in turns else 0
        self.sort = turns[(now + 1) % len(turns)]
        rows, index = self.result.rows, self._columns[column]
        self._order = range(len(rows))
        if self.sort is not None:
            known = [row for row in self._order if not _is_nothing(rows[row][index])]
            known.sort(key=lambda row: _rank(rows[row][index]), reverse=self.sort[1])
            self._order = [*known, *(row for row in self._order if _is_nothing(rows[row][index]))]

    def experiment(self, row: int) -> str | None:
        """What names the experiment that a row of the result is about."""
        for wanted in ("rev", "name"):
            if wanted in self.result.columns:
                found = self.result.rows[row][self.result.columns.index(wanted)]
                if isinstance(found, str) and found:
                    return found
        return None


def _is_nothing(value: Any) -> bool:
    return value is None or value != value


def _rank(value: Any) -> tuple[bool, Any]:
    """Numbers by their value, all else as text, which times sort by as well."""
    is_text = not isinstance(value, int | float)
    return is_text, str(value) if is_text else value


def shown(value: Any, column: str = "") -> Cell:
    """A value as a cell: six digits, seven of a SHA; null is no text."""
    if value is None:
        return NULL
    if isinstance(value, float):
        is_whole = value.is_integer() and abs(value) < _LARGEST_WHOLE
        return str(int(value)) if is_whole else f"{value:.6g}"
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    text = str(value)
    return text[:_SHORT] if column in _REVS and len(text) == _SHA_LENGTH else text
