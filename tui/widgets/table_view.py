"""The view of a table: header, the rows in view, and a footer that counts hidden columns."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.widgets.ink import ink
from tui.widgets.table_columns import Column
from tui.widgets.table_paint import (
    GUTTER,
    Sheet,
    TableStyles,
    footer_line,
    header_line,
    placeholder_line,
    row_line,
    sort_marks,
)
from tui.widgets.table_rows import RowSource
from tui.widgets.table_window import MAX_KEPT_ROWS, Content, Window

HEADER = 1  # lines


class TableView(ScrollView):
    """Paints what is in view of a `RowSource`, and again only the lines that changed."""

    STYLES: ClassVar[tuple[str, ...]] = ("muted", "strong", "good", "bad", "warning", "accent", "info")
    """Style names for cells."""

    DEFAULT_CSS = """
    TableView {
        width: 1fr;
        height: 1fr;
        overflow-x: hidden;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        & > .table--header { background: $panel; color: $foreground; text-style: bold; }
        & > .table--footer { color: $text-muted; }
        & > .table--placeholder { color: $text-muted; }
        & > .table--cursor { background: $foreground 12%; }
        &:focus > .table--cursor { background: $primary 35%; }
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
        self._strips: dict[int, tuple[Content, str, Strip]] = {}
        self._table_styles: TableStyles | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns, in order."""
        return self._window.columns

    @property
    def rows(self) -> RowSource:
        """The rows."""
        return self._window.rows

    def set_columns(self, columns: Sequence[Column], frozen: int = 1) -> None:
        """Show other columns; the first `frozen` ones stay in view. Rows may be set right after, not before."""
        if tuple(columns) != self.columns or frozen != self._window.num_frozen:
            self._window.set_columns(columns, frozen)
            self._strips.clear()
            self.refresh()
            self.call_later(self._update)

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
            self.refresh(Region(0, 0, self._width, HEADER))
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

    @property
    def hidden_columns(self) -> tuple[int, int]:
        """How many columns are out of view to the left and to the right."""
        return self._window.layout.hidden_left, self._window.layout.hidden_right

    @property
    def _width(self) -> int:
        return max(0, self.size.width - self.scrollbar_size_vertical)

    @property
    def _body_height(self) -> int:
        return max(0, self.size.height - HEADER - self._footer_height)

    @property
    def _footer_height(self) -> int:
        return 0 if self._window.layout.is_complete else 1

    @property
    def _visible(self) -> range:
        top = self.scroll_offset.y
        return range(top, min(self.rows.num_rows, top + self._body_height))

    def _set_extent(self) -> None:
        extent = Size(self._width, HEADER + self.rows.num_rows + self._footer_height)
        if extent != self.virtual_size:
            self.virtual_size = extent

    def _scroll_to_row(self, row: int) -> None:
        self.scroll_to(y=max(0, row), animate=False, force=True)

    def _update(self) -> None:
        """Read what came into view, lay out the columns, and paint what differs."""
        if not self.size:
            return
        changed = self._window.update(self._visible, max(1, self._width - GUTTER))
        self._set_extent()
        visible = self._visible
        self._top_key = self._window.content(visible.start).key if visible else None
        if changed is None:
            self._strips.clear()
            self.refresh()
        else:
            self._refresh_rows_at(*changed)

    def _refresh_rows_at(self, *rows: int) -> None:
        top, width = self.scroll_offset.y, self._width
        visible = self._visible
        regions = [Region(0, row - top + HEADER, width, 1) for row in rows if row in visible]
        if regions:
            self.refresh(*regions)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Read the rows that came into view."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._update()

    def notify_style_update(self) -> None:
        """Colours may have changed: the theme, or the focus."""
        super().notify_style_update()
        self._table_styles = None
        self._strips.clear()

    # Painting

    def render_line(self, y: int) -> Strip:
        """One line: the header, a row, or the footer."""
        sheet = Sheet(self.columns, self._window.layout, self._styles_of_table(), self._width)
        row = self.scroll_offset.y + y - HEADER
        if y < HEADER:
            return header_line(sheet, self._window.sort)
        if self._footer_height and y == self.size.height - 1:
            return footer_line(sheet)
        if row in self._visible:
            return self._row_line(sheet, row)
        if not self.rows.num_rows and y == max(HEADER, self.size.height // 2):
            return placeholder_line(sheet, self._placeholder)
        return Strip.blank(self._width, sheet.styles.base)

    def _row_line(self, sheet: Sheet, row: int) -> Strip:
        content = self._window.content(row)
        mark = self._marks.get(content.key, " ")
        if row == self._cursor:
            return row_line(sheet, content.cells, mark, is_cursor=True)
        kept = self._strips.get(row)
        if kept is not None and kept[:2] == (content, mark):
            return kept[2]
        if len(self._strips) > MAX_KEPT_ROWS:
            self._strips.clear()
        strip = row_line(sheet, content.cells, mark, is_cursor=False)
        self._strips[row] = content, mark, strip
        return strip

    def _styles_of_table(self) -> TableStyles:
        if self._table_styles is None:
            base = self.rich_style  # with a background: a terminal's own may be the opposite of the theme's
            cursor = self.get_component_rich_style("table--cursor")
            inks = {name: ink(self, f"table--{name}") for name in self.STYLES}
            self._table_styles = TableStyles(
                base,
                self.get_component_rich_style("table--header"),
                base + ink(self, "table--footer"),
                cursor,
                base + ink(self, "table--placeholder"),
                {name: base + style for name, style in inks.items()},
                {name: cursor + style for name, style in inks.items()},
            )
        return self._table_styles
