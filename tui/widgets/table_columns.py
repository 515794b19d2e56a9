"""Columns of a table, and which of them fit into a width."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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


class Widths(Protocol):
    """How wide the content of columns is; measured only where it is asked for, as there may be a thousand columns."""

    def natural(self, index: int) -> int:
        """Cells that the column would need."""
        ...

    def clamped(self, index: int) -> int:
        """Cells that it gets."""
        ...

    @property
    def least(self) -> int:
        """Cells that all columns need even if their content is no wider than their titles."""
        ...


def arrange(columns: Sequence[Column], widths: Widths, num_frozen: int, first: int, width: int) -> Layout:
    """Lay out the frozen columns, then those from `first` on, as far as there is room."""
    if not columns:
        return Layout()
    whole = _whole(columns, widths, width)
    if whole:
        return Layout(tuple(enumerate(whole)), num_frozen)
    next_one = max(first, num_frozen)
    is_number = next_one < len(columns) and columns[next_one].align == "right"
    needed = widths.clamped(next_one) if is_number else 0
    frozen = _frozen(columns[:num_frozen], [widths.clamped(index) for index in range(num_frozen)], width, needed)
    shown = list(enumerate(frozen))
    room = width - sum(frozen) - GAP * len(frozen)
    for index in range(next_one, len(columns)):
        wanted = widths.clamped(index)
        part = min(wanted, room)
        is_first = len(shown) == num_frozen
        if part < wanted and not (is_first or _may_be_cut(columns[index], part)):
            break
        shown.append((index, max(part, 1)))
        room -= part + GAP
        if room <= 0:
            break
    last = shown[-1][0] if len(shown) > num_frozen else num_frozen - 1
    return Layout(tuple(shown), num_frozen, next_one - num_frozen, len(columns) - 1 - last)


def _whole(columns: Sequence[Column], widths: Widths, width: int) -> list[int]:
    """Widths of all columns; none if there is not enough room for them."""
    if widths.least > width:
        return []
    found = [widths.clamped(index) for index in range(len(columns))]
    return _widened(columns, widths, found, width) if sum(found) + GAP * len(found) <= width else []


def last_first(columns: Sequence[Column], widths: Widths, num_frozen: int, width: int) -> int:
    """The largest `first` that is of use: from there on everything fits."""
    room = width - sum(min(columns[i].min_width, widths.clamped(i)) + GAP for i in range(num_frozen))
    earliest = len(columns)
    while earliest > num_frozen and room >= widths.clamped(earliest - 1):
        earliest -= 1
        room -= widths.clamped(earliest) + GAP
    for first in range(earliest, len(columns)):
        layout = arrange(columns, widths, num_frozen, first, width)
        index, shown = layout.shown[-1]
        if not layout.hidden_right and shown >= widths.clamped(index):
            return first
    return max(num_frozen, len(columns) - 1)


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


def _widened(columns: Sequence[Column], widths: Widths, given: Sequence[int], width: int) -> list[int]:
    """Give room that is left over to the columns whose content was cut."""
    given = list(given)
    spare = width - sum(given) - GAP * len(given)
    for index, column in enumerate(columns):
        if column.width is None:
            more = max(0, min(spare, widths.natural(index) - given[index]))
            given[index] += more
            spare -= more
    return given
