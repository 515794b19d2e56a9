"""A table of any length: only the rows in view are read, formatted and painted."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.widgets.ink import ink
from tui.widgets.table_columns import Column
from tui.widgets.table_paint import (
    GUTTER,
    Sheet,
    TableStyles,
    column_at,
    footer_line,
    header_line,
    placeholder_line,
    row_line,
    sort_marks,
)
from tui.widgets.table_rows import Cell, ListRows, RowSource, find_row
from tui.widgets.table_window import Window

__all__ = ["Cell", "Column", "ListRows", "RowSource", "VirtualTable"]

_HEADER = 1  # lines


class VirtualTable(ScrollView, can_focus=True):
    """Shows a `RowSource`; the cursor stays on its row, by key, when the rows are replaced."""

    STYLES: ClassVar[tuple[str, ...]] = ("muted", "strong", "good", "bad", "warning", "accent", "info")
    """Style names for cells."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    VirtualTable {
        width: 1fr;
        height: 1fr;
        overflow-x: hidden;
        & > .table--header { background: $panel; color: $foreground; text-style: bold; }
        & > .table--footer { color: $text-muted; }
        & > .table--placeholder { color: $text-muted; }
        & > .table--cursor { background: $foreground 12%; }
        &:focus > .table--cursor { background: $primary 45%; }
        & > .table--muted { color: $text-muted; }
        & > .table--strong { text-style: bold; }
        & > .table--good { color: $text-success; }
        & > .table--bad { color: $text-error; }
        & > .table--warning { color: $text-warning; }
        & > .table--accent { color: $text-accent; }
        & > .table--info { color: $text-primary; }
        &:ansi {
            & > .table--header { background: ansi_default; color: ansi_default; text-style: bold underline; }
            & > .table--footer, & > .table--placeholder, & > .table--muted {
                color: ansi_default; text-style: dim;
            }
            & > .table--cursor { background: ansi_default; text-style: bold; }
            & > .table--good { color: ansi_green; }
            & > .table--bad { color: ansi_red; }
            & > .table--warning { color: ansi_yellow; }
            & > .table--accent { color: ansi_magenta; }
            & > .table--info { color: ansi_cyan; }
        }
        &:ansi:focus > .table--cursor { background: ansi_default; text-style: reverse; }
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--footer",
        "table--placeholder",
        "table--cursor",
        *(f"table--{name}" for name in STYLES),
    }

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("pagedown", "page(1.0)", "Page down", show=False),
        Binding("pageup", "page(-1.0)", "Page up", show=False),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False),
        Binding("home,g", "first_row", "First row", show=False),
        Binding("end,G", "last_row", "Last row", show=False),
        Binding("right,l", "move_columns(1)", "Columns to the right", show=False),
        Binding("left,h", "move_columns(-1)", "Columns to the left", show=False),
        Binding("enter", "activate", "Open", show=False),
        Binding("space", "mark", "Mark", show=False),
    ]

    class RowMessage(Message):
        """Something happened to the row with this key."""

        def __init__(self, table: "VirtualTable", key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> "VirtualTable":
            """The table that sent the message."""
            return self.table

    class Highlighted(RowMessage):
        """The cursor is on another row."""

        def can_replace(self, message: Message) -> bool:
            """Only the newest position counts."""
            return isinstance(message, VirtualTable.Highlighted) and message.table is self.table

    class Activated(RowMessage):
        """Enter, or a double click."""

    class Marked(RowMessage):
        """Space: the owner of the rows decides what it means."""

    class HeaderPressed(RowMessage):
        """A click on a column's title; the key is the column's."""

    def __init__(
        self,
        columns: Sequence[Column] = (),
        *,
        frozen: int = 1,
        placeholder: str = "nothing here yet",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._window = Window(columns, frozen)
        self._placeholder = placeholder
        self._marks: Mapping[str, str] = {}
        self._cursor = 0
        self._cursor_key: str | None = None
        self._top_key: str | None = None
        self._strips: dict[int, Strip] = {}
        self._table_styles: TableStyles | None = None

    # Data

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns, in order."""
        return self._window.columns

    @property
    def rows(self) -> RowSource:
        """The rows."""
        return self._window.rows

    def set_columns(self, columns: Sequence[Column], frozen: int = 1) -> None:
        """Show other columns; the first `frozen` ones stay in view."""
        self._window.set_columns(columns, frozen)
        self._strips.clear()
        self.refresh()
        self._update()

    def set_rows(self, rows: RowSource) -> None:
        """Show other rows. The cursor stays on its row and on its line; only lines that differ are painted."""
        cursor, top, key = self._cursor, self.scroll_offset.y, self._cursor_key
        cursor_was_visible = cursor in self._visible
        self._window.set_rows(rows)
        self._cursor = max(0, min(self._place_of(key, cursor), rows.num_rows - 1))
        self._set_extent()
        if cursor_was_visible and (top or self._cursor not in self._visible):
            self._scroll_to_row(top + self._cursor - cursor)
        elif top and not cursor_was_visible:
            self._scroll_to_row(self._place_of(self._top_key, top))
        self._update()
        if self._cursor != cursor:
            self._refresh_rows_at(cursor, self._cursor)
        self._take_cursor_key()

    def refresh_rows(self) -> None:
        """Read the rows in view again, and paint those that changed."""
        self.set_rows(self.rows)

    def set_marks(self, marks: Mapping[str, str]) -> None:
        """Glyphs (one cell each) that are shown before the rows with these keys."""
        old, self._marks = self._marks, dict(marks)
        content = self._window.content
        changed = [row for row in self._visible if old.get(key := content(row).key) != self._marks.get(key)]
        self._refresh_rows_at(*changed)

    def set_sort(self, *order: tuple[str, bool]) -> None:
        """Show by which columns (key, descending) the caller has sorted the rows."""
        marks = sort_marks(order)
        if marks != self._window.sort:
            self._window.sort = marks
            self.refresh(Region(0, 0, self.size.width, _HEADER))
            self._update()

    @property
    def placeholder(self) -> str:
        """Why there are no rows."""
        return self._placeholder

    @placeholder.setter
    def placeholder(self, placeholder: str) -> None:
        if placeholder != self._placeholder:
            self._placeholder = placeholder
            if not self.rows.num_rows:
                self.refresh()

    # Cursor

    @property
    def cursor_row(self) -> int:
        """Number of the row under the cursor."""
        return self._cursor

    @property
    def cursor_key(self) -> str | None:
        """Key of the row under the cursor; None in an empty table."""
        return self._cursor_key

    def select(self, key: str) -> bool:
        """Put the cursor on the row with this key; whether there is one."""
        row = find_row(self.rows, key, self._cursor)
        if row is not None:
            self.move_cursor(row)
        return row is not None

    def move_cursor(self, row: int) -> None:
        """Put the cursor on a row, and bring the row into view."""
        row = max(0, min(row, self.rows.num_rows - 1))
        old, self._cursor = self._cursor, row
        self._show_cursor()
        if row != old:
            self._refresh_rows_at(old, row)
        self._take_cursor_key()

    def _take_cursor_key(self) -> None:
        key = self.rows.key(self._cursor) if self.rows.num_rows else None
        if key != self._cursor_key:
            self._cursor_key = key
            if key is not None:
                self.post_message(self.Highlighted(self, key))

    def _place_of(self, key: str | None, near: int) -> int:
        place = None if key is None else find_row(self.rows, key, near)
        return near if place is None else place

    def action_move(self, num_rows: int) -> None:
        """Move the cursor by rows."""
        self.move_cursor(self._cursor + num_rows)

    def action_page(self, part: float) -> None:
        """Move the cursor by a part of what is in view."""
        num_rows = max(1, round(abs(part) * max(1, self._body_height - 1)))
        self.move_cursor(self._cursor + (num_rows if part > 0 else -num_rows))

    def action_first_row(self) -> None:
        """Move the cursor to the top."""
        self.move_cursor(0)

    def action_last_row(self) -> None:
        """Move the cursor to the bottom."""
        self.move_cursor(self.rows.num_rows - 1)

    def action_move_columns(self, number: int) -> None:
        """Scroll sideways by columns."""
        window = self._window
        first = max(window.num_frozen, min(window.first + number, len(window.columns) - 1))
        if first != window.first:
            window.first = first
            self._update()

    def action_activate(self) -> None:
        """Open the row under the cursor."""
        if self._cursor_key is not None:
            self.post_message(self.Activated(self, self._cursor_key))

    def action_mark(self) -> None:
        """Ask the owner to mark the row under the cursor."""
        if self._cursor_key is not None:
            self.post_message(self.Marked(self, self._cursor_key))

    # Mouse

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the row, open it on the second click, or tell of a pressed title."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        row = self.scroll_offset.y + offset.y - _HEADER
        if offset.y < _HEADER:
            self._press_header(offset.x)
        elif row in self._visible:
            self.move_cursor(row)
            if event.chain == 2:
                self.action_activate()

    def _press_header(self, x: int) -> None:
        index = column_at(self._window.layout, x)
        if index is not None:
            self.post_message(self.HeaderPressed(self, self.columns[index].key))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """With shift, the wheel scrolls sideways."""
        self._scroll_sideways(event, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """With shift, the wheel scrolls sideways."""
        self._scroll_sideways(event, -1)

    def _scroll_sideways(self, event: events.MouseEvent, number: int) -> None:
        if event.shift:
            event.stop()
            event.prevent_default()
            self.action_move_columns(number)

    # View

    @property
    def hidden_columns(self) -> tuple[int, int]:
        """How many columns are out of view to the left and to the right."""
        return self._window.layout.hidden_left, self._window.layout.hidden_right

    @property
    def _body_height(self) -> int:
        return max(0, self.size.height - _HEADER - self._footer_height)

    @property
    def _footer_height(self) -> int:
        return 0 if self._window.layout.is_complete else 1

    @property
    def _visible(self) -> range:
        top = self.scroll_offset.y
        return range(top, min(self.rows.num_rows, top + self._body_height))

    def _set_extent(self) -> None:
        extent = Size(self.size.width, _HEADER + self.rows.num_rows + self._footer_height)
        if extent != self.virtual_size:
            self.virtual_size = extent

    def _scroll_to_row(self, row: int) -> None:
        self.scroll_to(y=max(0, row), animate=False, force=True)

    def _show_cursor(self) -> None:
        top, height = self.scroll_offset.y, self._body_height
        if self._cursor < top:
            self._scroll_to_row(self._cursor)
        elif height and self._cursor >= top + height:
            self._scroll_to_row(self._cursor - height + 1)

    def _update(self) -> None:
        """Read what came into view, lay out the columns, and paint what differs."""
        if not self.size:
            return
        changed = self._window.update(self._visible, max(1, self.size.width - GUTTER))
        self._set_extent()
        visible = self._visible
        self._top_key = self._window.content(visible.start).key if visible else None
        if changed is None:
            self._strips.clear()
            self.refresh()
        else:
            self._refresh_rows_at(*changed)

    def _refresh_rows_at(self, *rows: int) -> None:
        top, width = self.scroll_offset.y, self.size.width
        visible = self._visible
        regions = [Region(0, row - top + _HEADER, width, 1) for row in rows if row in visible]
        for row in rows:
            self._strips.pop(row, None)
        if regions:
            self.refresh(*regions)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Read the rows that came into view."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._update()

    def on_resize(self) -> None:
        """Lay out for the new size, and keep the cursor in view."""
        self._update()
        self._show_cursor()

    def notify_style_update(self) -> None:
        """Colours may have changed: the theme, or the focus."""
        super().notify_style_update()
        self._table_styles = None
        self._strips.clear()

    # Painting

    def render_line(self, y: int) -> Strip:
        """One line: the header, a row, or the footer."""
        sheet = Sheet(self.columns, self._window.layout, self._styles_of_table(), self.size.width)
        row = self.scroll_offset.y + y - _HEADER
        if y < _HEADER:
            return header_line(sheet, self._window.sort)
        if self._footer_height and y == self.size.height - 1:
            return footer_line(sheet)
        if row in self._visible:
            return self._row_line(sheet, row)
        if not self.rows.num_rows and y == max(_HEADER, self.size.height // 2):
            return placeholder_line(sheet, self._placeholder)
        return Strip.blank(self.size.width)

    def _row_line(self, sheet: Sheet, row: int) -> Strip:
        is_cursor = row == self._cursor
        strip = None if is_cursor else self._strips.get(row)
        if strip is None:
            content = self._window.content(row)
            strip = row_line(sheet, content.cells, self._marks.get(content.key, " "), is_cursor=is_cursor)
            if not is_cursor:
                self._strips[row] = strip
        return strip

    def _styles_of_table(self) -> TableStyles:
        if self._table_styles is None:
            self._table_styles = TableStyles(
                self.get_component_rich_style("table--header"),
                ink(self, "table--footer"),
                self.get_component_rich_style("table--cursor"),
                ink(self, "table--placeholder"),
                {name: ink(self, f"table--{name}") for name in self.STYLES},
            )
        return self._table_styles
