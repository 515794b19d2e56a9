"""What a table shows of its rows: the columns that fit, their widths, and the contents that were read."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tui.widgets.table_columns import Column, Layout, arrange, last_first
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
        kept = {column.key for column in columns if column in self.columns}
        self.columns = tuple(columns)
        self.num_frozen = min(num_frozen, len(self.columns))
        keys = [column.key for column in self.columns]
        self.first = max(self.num_frozen, keys.index(first_key) if first_key in keys else 0)
        self.layout = Layout()
        self._natural = {key: width for key, width in self._natural.items() if key in kept}
        self._contents: dict[int, Content] = {}
        self._is_stale = self._is_sampled = False

    def set_rows(self, rows: RowSource) -> None:
        """Other rows, or the same ones with other contents."""
        self.rows = rows
        self._is_stale = True

    def _sample(self) -> None:
        """Measure a few rows, so that widths do not depend on where the table is scrolled to."""
        stride = max(1, self.rows.num_rows // _NUM_SAMPLED_ROWS)
        for row in range(0, self.rows.num_rows, stride):
            for column in self.columns:
                if column.width is None:
                    self._measure(column, safe_cell(self.rows.cell(row, column.key))[0])
        self._is_sampled = bool(self.rows.num_rows and self.columns)

    def _measure(self, column: Column, text: str) -> bool:
        """Whether the text is wider than anything before, and not too wide for the column to grow."""
        width, old = cell_width(text), self._natural.get(column.key, column.title_width)
        if width <= old:
            return False
        self._natural[column.key] = width
        return True

    def _widths(self) -> dict[str, int]:
        """Natural widths, with room for the marks of sorted columns."""
        widths = dict(self._natural)
        for column in self.columns:
            needed = column.title_width + len(self.sort.get(column.key, ""))
            widths[column.key] = max(widths.get(column.key, 0), needed)
        return widths

    def content(self, row: int) -> Content:
        """The row's key and the cells in view."""
        found = self._contents.get(row)
        if found is None:
            found = self._contents[row] = self._read(row)
        return found

    def _read(self, row: int) -> Content:
        cells = (safe_cell(self.rows.cell(row, self.columns[index].key)) for index in self.layout.indices)
        return Content(self.rows.key(row), tuple(cells))

    def update(self, visible: range, width: int) -> list[int] | None:
        """Lay out again; the visible rows whose contents differ from before, or None if all lines may."""
        old_layout, old = self.layout, self._contents
        if not self._is_sampled:
            self._sample()
        if self._is_stale or len(old) > MAX_KEPT_ROWS:
            self._contents, self._is_stale = {}, False
        for _ in range(_MAX_ROUNDS):
            indices = self.layout.indices
            self._lay_out(width)
            if self.layout.indices != indices:
                self._contents = {}
            if not self._grow(visible):
                break
        if self.layout != old_layout:
            return None
        return [row for row in visible if row in old and old[row] != self._contents[row]]

    def _lay_out(self, width: int) -> None:
        widths = self._widths()
        self.first = min(self.first, last_first(self.columns, widths, self.num_frozen, width))
        self.layout = arrange(self.columns, widths, self.num_frozen, self.first, width)

    def _grow(self, visible: range) -> bool:
        """Measure the rows in view; whether a column got wider."""
        grown = False
        for row in visible:
            for (index, _), (text, _) in zip(self.layout.shown, self.content(row).cells, strict=True):
                column = self.columns[index]
                grown |= column.width is None and self._measure(column, text)
        return grown
