"""Columns of a table, and which of them fit into a width."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui.widgets.text import Align, cell_width, neutral

GAP = 2
_LARGEST_FROZEN_PART = 0.6


@dataclass(frozen=True, slots=True)
class Column:
    """One column; without a `width` it is as wide as its content, between the two limits."""

    key: str
    title: str
    align: Align = "left"
    width: int | None = None
    min_width: int = 3
    max_width: int = 40

    def clamp(self, natural: int) -> int:
        """Width of the column for content of this width."""
        return self.width if self.width is not None else max(self.min_width, min(self.max_width, natural))

    @property
    def title_width(self) -> int:
        """Cells of the title."""
        return cell_width(neutral(self.title))


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns in view as (index, width), and how many are hidden on either side."""

    shown: tuple[tuple[int, int], ...] = ()
    num_frozen: int = 0
    hidden_left: int = 0
    hidden_right: int = 0

    @property
    def indices(self) -> tuple[int, ...]:
        """Indices of the columns in view."""
        return tuple(index for index, _ in self.shown)

    @property
    def is_complete(self) -> bool:
        """Whether every column is in view."""
        return not self.hidden_left and not self.hidden_right


def arrange(columns: Sequence[Column], natural: Mapping[str, int], num_frozen: int, first: int, width: int) -> Layout:
    """Lay out the frozen columns, then those from `first` on, as far as there is room."""
    if not columns:
        return Layout()
    widths = [column.clamp(natural.get(column.key, column.title_width)) for column in columns]
    if sum(widths) + GAP * len(widths) <= width:
        return Layout(tuple(enumerate(_widened(columns, natural, widths, width))), num_frozen)
    next_one = max(first, num_frozen)
    is_number = next_one < len(columns) and columns[next_one].align == "right"
    needed = widths[next_one] if is_number else 0
    frozen = _frozen(columns[:num_frozen], widths[:num_frozen], width, needed)
    shown = list(enumerate(frozen))
    room = width - sum(frozen) - GAP * len(frozen)
    for index in range(next_one, len(columns)):
        part = min(widths[index], room)
        is_first = len(shown) == num_frozen
        if part < widths[index] and not (is_first or _may_be_cut(columns[index], part)):
            break
        shown.append((index, max(part, 1)))
        room -= part + GAP
        if room <= 0:
            break
    last = shown[-1][0] if len(shown) > num_frozen else num_frozen - 1
    return Layout(tuple(shown), num_frozen, next_one - num_frozen, len(columns) - 1 - last)


def last_first(columns: Sequence[Column], natural: Mapping[str, int], num_frozen: int, width: int) -> int:
    """The largest `first` that is of use: from there on everything fits."""
    for first in range(num_frozen, len(columns)):
        layout = arrange(columns, natural, num_frozen, first, width)
        if not layout.hidden_right and _is_whole(columns, natural, layout):
            return first
    return max(num_frozen, len(columns) - 1)


def _is_whole(columns: Sequence[Column], natural: Mapping[str, int], layout: Layout) -> bool:
    index, width = layout.shown[-1]
    return width >= columns[index].clamp(natural.get(columns[index].key, 0))


def _may_be_cut(column: Column, width: int) -> bool:
    """A number cut in half misleads; a long text does not."""
    return column.align == "left" and column.width is None and width >= max(column.min_width, 8)


def _frozen(columns: Sequence[Column], widths: Sequence[int], width: int, needed: int) -> list[int]:
    """Widths of the frozen columns, so that something is left for the others: at least `needed` cells."""
    widths = list(widths)
    excess = sum(widths) + GAP * len(widths) - min(int(width * _LARGEST_FROZEN_PART), width - needed)
    while excess > 0:
        index = max(range(len(widths)), key=lambda i: widths[i] - columns[i].min_width)
        spare = widths[index] - columns[index].min_width
        if spare <= 0:
            break
        widths[index] -= min(spare, excess)
        excess -= min(spare, excess)
    return widths


def _widened(columns: Sequence[Column], natural: Mapping[str, int], widths: Sequence[int], width: int) -> list[int]:
    """Give room that is left over to the columns whose content was cut."""
    widths = list(widths)
    spare = width - sum(widths) - GAP * len(widths)
    for index, column in enumerate(columns):
        if column.width is None:
            more = max(0, min(spare, natural.get(column.key, 0) - widths[index]))
            widths[index] += more
            spare -= more
    return widths
