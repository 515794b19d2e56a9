"""A table of any length: only the rows in view are read, formatted and painted."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tui.widgets.table_columns import Column
from tui.widgets.table_paint import column_at
from tui.widgets.table_rows import Cell, ListRows, RowSource, find_row
from tui.widgets.table_view import HEADER, TableView

__all__ = ["Cell", "Column", "ListRows", "RowSource", "VirtualTable"]


class VirtualTable(TableView, can_focus=True):
    """Shows a `RowSource`; the cursor stays on its row, by key, when the rows are replaced."""

    ALLOW_SELECT = False

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

    # Data

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
        row = self.scroll_offset.y + offset.y - HEADER
        if offset.y < HEADER:
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

    def _show_cursor(self) -> None:
        top, height = self.scroll_offset.y, self._body_height
        if self._cursor < top:
            self._scroll_to_row(self._cursor)
        elif height and self._cursor >= top + height:
            self._scroll_to_row(self._cursor - height + 1)

    def on_resize(self) -> None:
        """Lay out for the new size, and keep the cursor in view."""
        self._update()
        self._show_cursor()
