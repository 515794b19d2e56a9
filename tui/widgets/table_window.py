"""What a table shows of its rows: the columns that fit, their widths, and the contents that were read."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tui.widgets.table_columns import GAP, Column, Layout, arrange, last_first
from tui.widgets.table_rows import ListRows, RowSource, safe_cell
from tui.widgets.text import cell_width

MAX_KEPT_ROWS = 2000
_NUM_SAMPLED_ROWS = 64
_MAX_ROUNDS = 3


class Content(NamedTuple):
    """What is shown of one row: its key, and neutral text and style name of the cells in view."""

    key: str
    cells: tuple[tuple[str, str], ...]


class Window:
    """The part of the rows in view. Columns grow with what they show and never shrink."""

    def __init__(self, columns: Sequence[Column], num_frozen: int) -> None:
        self.rows: RowSource = ListRows()
        self.sort: Mapping[str, str] = {}
        self.columns: tuple[Column, ...] = ()
        self.first = 0
        self._natural: dict[str, int] = {}
        self.set_columns(columns, num_frozen)

    def set_columns(self, columns: Sequence[Column], num_frozen: int) -> None:
        """Other columns; those that stay keep their width, and their place at the left if they have it."""
        first_key = self.columns[self.first].key if self.first < len(self.columns) else None
        kept = {column.key for column in set(self.columns).intersection(columns)}
        self.columns = tuple(columns)
        self.num_frozen = min(num_frozen, len(self.columns))
        keys = [column.key for column in self.columns]
        self.first = max(self.num_frozen, keys.index(first_key) if first_key in keys else 0)
        self.layout = Layout()
        self._natural = {key: width for key, width in self._natural.items() if key in kept}
        self._titles = [column.title_width for column in self.columns]
        self.least = sum(map(Column.clamp, self.columns, self._titles)) + GAP * len(self.columns)
        self._sampled: set[int] = set()
        self._contents: dict[int, Content] = {}
        self._is_stale = self._has_grown = False

    def set_rows(self, rows: RowSource) -> None:
        """Other rows, or the same ones with other contents."""
        self.rows = rows
        self._is_stale = True

    # Widths

    def natural(self, index: int) -> int:
        """Cells that the column needs for what was seen of it, for its title and for the mark of a sorted one."""
        column = self.columns[index]
        if index not in self._sampled and column.width is None and self.rows.num_rows:
            self._sample(index)
        return max(self._natural.get(column.key, 0), self._titles[index] + len(self.sort.get(column.key, "")))

    def clamped(self, index: int) -> int:
        """Cells that the column gets."""
        return self.columns[index].clamp(self.natural(index))

    def _sample(self, index: int) -> None:
        """Measure a few rows, so that widths do not depend on where the table is scrolled to."""
        self._sampled.add(index)
        key = self.columns[index].key
        for row in range(0, self.rows.num_rows, max(1, self.rows.num_rows // _NUM_SAMPLED_ROWS)):
            self._measure(index, safe_cell(self.rows.cell(row, key))[0])

    def _measure(self, index: int, text: str) -> None:
        """Remember a text that is wider than anything before."""
        key, width = self.columns[index].key, cell_width(text)
        if width > self._natural.get(key, self._titles[index]):
            self._natural[key] = width
            self._has_grown = True

    def content(self, row: int) -> Content:
        """The row's key and the cells in view."""
        found = self._contents.get(row)
        if found is None:
            found = self._contents[row] = self._read(row)
        return found

    def _read(self, row: int) -> Content:
        cells = []
        for index in self.layout.indices:
            column = self.columns[index]
            cells.append(safe_cell(self.rows.cell(row, column.key)))
            if column.width is None:
                self._measure(index, cells[-1][0])
        return Content(self.rows.key(row), tuple(cells))

    # View

    def update(self, visible: range, width: int) -> list[int] | None:
        """Lay out again; the visible rows whose contents differ from before, or None if all lines may."""
        old_layout, old = self.layout, self._contents
        if self._is_stale or len(old) > MAX_KEPT_ROWS:
            self._contents, self._is_stale = {}, False
        for _ in range(_MAX_ROUNDS):
            indices = self.layout.indices
            self._lay_out(width)
            if self.layout.indices != indices:
                self._contents = {}
            self._has_grown = False
            for row in visible:
                self.content(row)
            if not self._has_grown:
                break
        if self.layout != old_layout:
            return None
        return [row for row in visible if row in old and old[row] != self._contents[row]]

    def _lay_out(self, width: int) -> None:
        if self.first > self.num_frozen:
            self.first = min(self.first, last_first(self.columns, self, self.num_frozen, width))
        self.layout = arrange(self.columns, self, self.num_frozen, self.first, width)
