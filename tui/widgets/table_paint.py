"""Lines of a table: header, rows, footer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.widgets.table_columns import GAP, Column, Layout
from tui.widgets.text import fit, neutral

GUTTER = 3  # cursor, mark, space
_CURSOR = "▸"
_BLANK_GAP, _CUT_GAP = " " * GAP, "│" + " " * (GAP - 1)


@dataclass(frozen=True, slots=True)
class TableStyles:
    """The styles of a table."""

    base: Style
    header: Style
    footer: Style
    cursor: Style
    placeholder: Style
    names: Mapping[str, Style]
    """Those that cells may ask for."""
    at_cursor: Mapping[str, Style]
    """The same in the row of the cursor."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What all lines of a table share."""

    columns: Sequence[Column]
    layout: Layout
    styles: TableStyles
    width: int

    def line(self, parts: Sequence[tuple[str, Style]]) -> Strip:
        """Parts joined into one line of the table's width; neighbours of one style become one segment."""
        segments: list[Segment] = []
        texts, style = [parts[0][0]], parts[0][1]
        for text, next_style in parts[1:]:
            if next_style is not style:
                segments.append(Segment("".join(texts), style))
                texts, style = [], next_style
            texts.append(text)
        spare = self.width - self._used
        segments.append(Segment("".join(texts) + " " * spare, style))
        return Strip(segments, max(self._used, self.width)).crop(0, self.width)

    @property
    def _used(self) -> int:
        return GUTTER + sum(width + GAP for _, width in self.layout.shown)

    def gap(self, place: int) -> str:
        """What follows the column in this place: a line where columns are hidden."""
        is_cut = self.layout.hidden_left and place == self.layout.num_frozen - 1
        return _CUT_GAP if is_cut else _BLANK_GAP


def row_line(sheet: Sheet, cells: Sequence[tuple[str, str]], mark: str, *, is_cursor: bool) -> Strip:
    """One row; the cells are those of the layout, in its order."""
    base, styles = (
        (sheet.styles.cursor, sheet.styles.at_cursor) if is_cursor else (sheet.styles.base, sheet.styles.names)
    )
    gutter = f"{_CURSOR if is_cursor else ' '}{fit(neutral(mark), 1)} "
    parts = [(gutter, base)]
    for place, ((text, name), (index, width)) in enumerate(zip(cells, sheet.layout.shown, strict=True)):
        style = styles.get(name, base)
        parts.append((fit(text, width, sheet.columns[index].align), style))
        parts.append((sheet.gap(place), base))
    return sheet.line(parts)


def header_line(sheet: Sheet, sort: Mapping[str, str]) -> Strip:
    """Column titles, with the marks of the sorted ones."""
    text = " " * GUTTER
    for place, (index, width) in enumerate(sheet.layout.shown):
        column = sheet.columns[index]
        mark = sort.get(column.key, "")
        title = fit(neutral(column.title), width - len(mark), column.align) if width > len(mark) else ""
        text += fit(_marked(title, mark, column.align), width) + sheet.gap(place)
    return sheet.line([(text, sheet.styles.header)])


def _marked(title: str, mark: str, align: str) -> str:
    """The mark goes directly behind the words of the title."""
    words = title.rstrip() if align == "left" else title
    return words + mark


def sort_marks(order: Sequence[tuple[str, bool]]) -> dict[str, str]:
    """Column key to mark: an arrow, with its rank when there are several."""
    ranked = len(order) > 1
    return {
        key: f" {'▼' if descending else '▲'}{rank if ranked else ''}"
        for rank, (key, descending) in enumerate(order, start=1)
    }


def footer_line(sheet: Sheet) -> Strip:
    """How many columns are hidden, and where."""
    layout = sheet.layout
    left = f" ← {_count(layout.hidden_left)}" if layout.hidden_left else ""
    right = f"+{_count(layout.hidden_right)} → " if layout.hidden_right else ""
    text = left + " " * max(1, sheet.width - len(left) - len(right)) + right
    return Strip([Segment(text, sheet.styles.footer)]).adjust_cell_length(sheet.width, sheet.styles.footer)


def _count(number: int) -> str:
    return f"{number} column{'' if number == 1 else 's'}"


def placeholder_line(sheet: Sheet, text: str) -> Strip:
    """The words in the middle of an empty table."""
    return Strip([Segment(fit(neutral(text), sheet.width, "center"), sheet.styles.placeholder)], sheet.width)


def column_at(layout: Layout, x: int) -> int | None:
    """Index of the column under a cell of the line."""
    left = GUTTER
    for index, width in layout.shown:
        if left <= x < left + width + GAP:
            return index
        left += width + GAP
    return None
