"""Composition of a chart: where the plot, axes and markers lie, and which character is in each cell."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from textual.geometry import Size

from tui.widgets.chart_series import Trace
from tui.widgets.chart_view import View
from tui.widgets.raster import DOT_COLUMNS, DOT_ROWS, Floats, Ints, Spans, dots, mask, overlay, pixel_rows
from tui.widgets.ticks import linear_ticks, log_labels, log_ticks, tick_labels

GLYPHS = "●■▲◆○□△◇"
NUM_COLOURS = 8
_MARKER_SPACING = 26
_MAX_MARKED_SERIES = 8
_Y_MARGIN = 0.03


@dataclass(frozen=True, slots=True)
class Box:
    """The plot area within the widget, in cells."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A drawn chart without colours: characters, and the series that owns each cell (-1: none)."""

    view: View
    box: Box
    rows: tuple[str, ...]
    owners: Ints
    y_labels: dict[int, str]
    x_labels: str


def glyph(slot: int) -> str:
    """The marker of a series; with the colour it is unique for 64 slots."""
    return GLYPHS[(slot + slot // NUM_COLOURS) % len(GLYPHS)]


def value_range(traces: Sequence[Trace], view: View, *, log: bool) -> tuple[float, float] | None:
    """Range of the y axis with a margin; None if there is nothing to show."""
    found = [limits for trace in traces if (limits := trace.limits(view.x0, view.x1, log=log)) is not None]
    if not found:
        return None
    low, high = min(limits[0] for limits in found), max(limits[1] for limits in found)
    smallest = max(abs(low), abs(high), 1e-280) * 1e-9
    margin = max((high / 2 - low / 2) * 2 * _Y_MARGIN, smallest)
    if high - low < smallest:
        margin = max(abs(low) * 0.05, 1e-280)
    return max(low - margin, -sys.float_info.max), min(high + margin, sys.float_info.max)


def draw(traces: Sequence[Trace], view: View, size: Size, top: int, *, log: bool) -> Picture | None:
    """The chart at a size in cells, its first `top` rows left to titles; None if there is nothing to show."""
    width, plot_height = size.width, size.height - top - 1
    limits = value_range(traces, view, log=log)
    if width < 1 or plot_height < 1 or limits is None:
        return None
    y_labels = _y_labels(limits, plot_height, log=log)
    left = min(max(map(len, y_labels.values()), default=0) + 1, max(0, width // 3))
    box = Box(left, top, width - left, plot_height)
    areas = [t.decimated(view.x0, view.x1, box.width * DOT_COLUMNS, log=log) for t in traces]
    rows, owners = _plot(traces, areas, box, limits)
    return Picture(view, box, rows, owners, y_labels, _x_labels(traces, view, box))


def _plot(
    traces: Sequence[Trace], areas: Sequence[Spans | None], box: Box, limits: tuple[float, float]
) -> tuple[tuple[str, ...], Ints]:
    num_rows, num_columns = box.height * DOT_ROWS, box.width * DOT_COLUMNS
    order = sorted(range(len(traces)), key=lambda i: not traces[i].series.faint)
    drawn = [(i, area) for i in order if (area := areas[i]) is not None]
    patterns = [dots(mask(area, *limits, num_rows, num_columns)) for _, area in drawn]
    codes, owner = overlay(patterns, box.height, box.width)
    owners = np.append(np.array([i for i, _ in drawn], np.int64), -1)[owner]
    if sum(not t.series.faint for t in traces) > 1:
        _place_markers(traces, drawn, box, limits, codes, owners)
    return tuple(row.astype("<u4").tobytes().decode("utf-32-le") for row in codes), owners


def _place_markers(
    traces: Sequence[Trace],
    drawn: Sequence[tuple[int, Spans]],
    box: Box,
    limits: tuple[float, float],
    codes: np.typing.NDArray[np.uint32],
    owners: Ints,
) -> None:
    """Put each series' glyph at its end, and here and there along it, so that colour is not needed."""
    few = len(drawn) <= _MAX_MARKED_SERIES
    for place, (index, area) in enumerate(drawn):
        if traces[index].series.faint:
            continue
        columns = _marker_columns(area, box.width, place if few else None)
        middle: Floats = area.low[columns - area.start] / 2 + area.high[columns - area.start] / 2
        rows = pixel_rows(middle, *limits, box.height * DOT_ROWS)
        shown = np.isfinite(rows)
        at = (rows[shown].astype(np.int64) // DOT_ROWS).clip(0, box.height - 1), columns[shown] // DOT_COLUMNS
        codes[at] = ord(glyph(traces[index].slot(index)))
        owners[at] = index


def _marker_columns(area: Spans, width: int, place: int | None) -> Ints:
    """Pixel columns of the markers of one series; staggered, so that two series do not hide each other."""
    end = area.start + len(area.low) - 1
    if place is None or width < _MARKER_SPACING:
        return np.array([end], np.int64)
    spacing = _MARKER_SPACING * DOT_COLUMNS
    columns = np.arange(spacing * (2 * place + 1) // (2 * _MAX_MARKED_SERIES), width * DOT_COLUMNS, spacing)
    inside = columns[(columns >= area.start) & (columns < end - 2 * DOT_COLUMNS)]
    return np.append(inside, end).astype(np.int64)


def _y_labels(limits: tuple[float, float], height: int, *, log: bool) -> dict[int, str]:
    """Labels by plot row; at most every other row has one."""
    low, high = limits
    num_ticks = max(2, height // 3) if height > 2 else 1
    ticks = log_ticks(low, high, num_ticks) if log else linear_ticks(low, high, num_ticks)
    labels = log_labels(ticks) if log else tick_labels(ticks)
    rows = pixel_rows(np.array(ticks, np.float64), low, high, height * DOT_ROWS) // DOT_ROWS
    placed: dict[int, str] = {}
    for row, label in zip(rows.tolist(), labels, strict=True):
        if 0 <= row < height and int(row) + 1 not in placed and int(row) not in placed:
            placed[int(row)] = label
    return placed


def _x_labels(traces: Sequence[Trace], view: View, box: Box) -> str:
    """The line below the plot: as many step labels as there is room for."""
    num_ticks = max(2, box.width // 14)
    is_close = view.x1 - view.x0 < 2 * num_ticks  # only then could a tick fall between two steps
    whole = is_close and all(trace.has_whole_steps for trace in traces)
    ticks = linear_ticks(view.x0, view.x1, num_ticks, whole=whole)
    line = [" "] * (box.left + box.width)
    free_from = 0
    for tick, label in zip(ticks, tick_labels(ticks), strict=True):
        part = (tick / 2 - view.x0 / 2) / (view.x1 / 2 - view.x0 / 2)
        middle = box.left + round(part * (box.width - 1))
        start = max(0, min(len(line) - len(label), middle - len(label) // 2))
        if start >= free_from and start + len(label) <= len(line):
            line[start : start + len(label)] = label
            free_from = start + len(label) + 2
    return "".join(line)


def runs(owners: Ints) -> list[tuple[int, int, int]]:
    """(start, end, owner) of the stretches of one row that have the same owner."""
    borders = np.flatnonzero(np.diff(owners)) + 1
    stops = [0, *borders.tolist(), len(owners)]
    return [(a, b, int(owners[a])) for a, b in pairwise(stops)]
