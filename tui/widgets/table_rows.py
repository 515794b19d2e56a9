"""Where the rows of a table come from."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from tui.widgets.text import neutral

Cell = str | tuple[str, str]
"""Text, or text and the name of a style (one of `VirtualTable.STYLES`)."""

_LONGEST_CELL = 2000  # characters; no column is ever that wide


class RowSource(Protocol):
    """Rows that are asked for only while they are visible."""

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        ...

    def cell(self, row: int, column: str) -> Cell:
        """Content of the cell in a row, under a column key."""
        ...

    def key(self, row: int) -> str:
        """What identifies the row when others come and go."""
        ...


@runtime_checkable
class FindableRows(Protocol):
    """Rows that know where each of them is; others are searched from the top."""

    def place(self, key: str) -> int | None:
        """Number of the row with this key."""
        ...


class ListRows:
    """Rows held in memory: a key and a mapping from column key to cell for each; an absent cell is empty."""

    def __init__(self, rows: Sequence[tuple[str, Mapping[str, Cell]]] = ()) -> None:
        self._rows = rows

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def cell(self, row: int, column: str) -> Cell:
        """Content of the cell in a row, under a column key."""
        return self._rows[row][1].get(column, "")

    def key(self, row: int) -> str:
        """What identifies the row."""
        return self._rows[row][0]


def safe_cell(cell: Cell) -> tuple[str, str]:
    """Neutral text and style name of a cell."""
    text, style = (cell, "") if isinstance(cell, str) else cell
    return neutral(text[:_LONGEST_CELL]), style


def find_row(rows: RowSource, key: str, near: int) -> int | None:
    """The row with this key; tried first where it probably is."""
    if near < rows.num_rows and rows.key(near) == key:
        return near
    if isinstance(rows, FindableRows):
        return rows.place(key)
    return next((row for row in range(rows.num_rows) if rows.key(row) == key), None)
