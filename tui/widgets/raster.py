"""Curves turned into braille dots with numpy: pure functions, no terminal and no widget."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DOT_COLUMNS, DOT_ROWS = 2, 4
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Finite points in step order; `breaks[i]` says that a gap lies before point `i` (None: there is no gap)."""

    steps: Floats
    values: Floats
    breaks: Bools | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """The values that a curve covers in each pixel column from `start` on; NaN where it covers nothing."""

    start: int
    low: Floats
    high: Floats


def curve(steps: ArrayLike, values: ArrayLike) -> Curve:
    """The points that can be drawn: in step order, values that are not finite turned into gaps."""
    x, y = np.asarray(steps, np.float64).ravel(), np.asarray(values, np.float64).ravel()
    if len(x) != len(y):
        raise ValueError(f"{len(x)} steps for {len(y)} values")
    if not np.isfinite(x).all():
        x, y = x[np.isfinite(x)], y[np.isfinite(x)]
    if (x[1:] < x[:-1]).any():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    return _without(Curve(x, y), ~np.isfinite(y))


def positive(points: Curve) -> Curve:
    """The curve with gaps in place of what a logarithmic axis cannot show."""
    return _without(points, points.values <= 0)


def _without(points: Curve, refused: Bools) -> Curve:
    if not refused.any():
        return points
    kept = ~refused
    index = np.flatnonzero(kept)
    breaks = np.diff(index, prepend=-1) > 1
    if points.breaks is not None:
        seen = np.cumsum(points.breaks)[index]
        breaks |= np.diff(seen, prepend=0) > 0
    return Curve(points.steps[kept], points.values[kept], breaks)


def window(points: Curve, x0: float, x1: float) -> Curve:
    """The part of the curve within [x0, x1], with the line continued to both borders."""
    x = points.steps
    if not len(x) or (x[0] >= x0 and x[-1] <= x1):
        return points
    first, end = int(np.searchsorted(x, x0, "left")), int(np.searchsorted(x, x1, "right"))
    part = slice(first, end)
    left, right = _crossing(points, first, x0), _crossing(points, end, x1)
    breaks = None if points.breaks is None else points.breaks[part]
    values = points.values[part]
    if left is None and right is None:
        return Curve(x[part], values, breaks)
    before = np.array([] if left is None else [left])
    after = np.array([] if right is None else [right])
    steps = np.concatenate([[x0] * len(before), x[part], [x1] * len(after)])
    if breaks is not None:
        breaks = np.concatenate([np.zeros(len(before), np.bool_), breaks, np.zeros(len(after), np.bool_)])
    return Curve(steps, np.concatenate([before, values, after]), breaks)


def _crossing(points: Curve, index: int, x: float) -> float | None:
    """Value of the line at `x`, between the points `index - 1` and `index`."""
    if not 0 < index < len(points.steps) or (points.breaks is not None and points.breaks[index]):
        return None
    xa, xb = points.steps[index - 1 : index + 1]
    ya, yb = points.values[index - 1 : index + 1]
    part = (x - xa) / (xb - xa) if xb > xa else 0.0
    return float(ya * (1 - part) + yb * part)


def spans(points: Curve, x0: float, x1: float, num_columns: int, *, log: bool = False) -> Spans | None:
    """Decimate to pixel columns; each keeps its minimum and maximum, so that no spike is lost."""
    points = window(points, x0, x1)
    num_points = len(points.steps)
    if not num_points or num_columns < 1:
        return None
    borders = x0 + (x1 - x0) * (np.arange(1, num_columns) / num_columns)
    starts = np.concatenate([[0], np.searchsorted(points.steps, borders, "left")])
    filled = np.flatnonzero(np.diff(starts, append=num_points) > 0)
    starts = starts[filled]
    y = points.values
    low, high = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    first, last = y[starts], y[np.append(starts[1:], num_points) - 1]
    gaps = None if points.breaks is None else points.breaks[starts[1:]]
    if log:
        low, high, first, last = (np.log10(v) for v in (low, high, first, last))
    return _joined(filled, low, high, first, last, gaps)


def _joined(column: Ints, low: Floats, high: Floats, first: Floats, last: Floats, gaps: Bools | None) -> Spans:
    """Fill the columns between samples, and stretch neighbours until they touch."""
    start = int(column[0])
    num_columns = int(column[-1]) - start + 1
    lows, highs = np.full(num_columns, np.nan), np.full(num_columns, np.nan)
    lows[column - start], highs[column - start] = low, high
    if num_columns > 1:
        knots = np.repeat(column, 2) + np.tile([-0.25, 0.25], len(column))
        borders = np.arange(start, start + num_columns - 1) + 0.5
        with np.errstate(over="ignore"):
            edges = np.interp(borders, knots, np.stack([first, last], axis=1).ravel())
        np.clip(edges, low.min(), high.max(), out=edges)  # the slope of the largest floats overflows
        if gaps is not None:
            edges[gaps[np.searchsorted(column, borders) - 1]] = np.nan
        for side in (slice(1, None), slice(None, -1)):
            lows[side] = np.fmin(lows[side], edges)
            highs[side] = np.fmax(highs[side], edges)
    return Spans(start, lows, highs)


def pixel_rows(values: Floats, y0: float, y1: float, num_rows: int) -> Floats:
    """Pixel row of each value, 0 at the top; halves keep the largest floats from overflowing."""
    part = (values / 2 - y0 / 2) / (y1 / 2 - y0 / 2)
    return np.clip(np.round((1 - part) * (num_rows - 1)), -1, num_rows)


def mask(area: Spans, y0: float, y1: float, num_rows: int, num_columns: int) -> Bools:
    """Which pixels the curve covers."""
    top = pixel_rows(area.high, y0, y1, num_rows)
    bottom = pixel_rows(area.low, y0, y1, num_rows)
    empty = np.isnan(top)
    top[empty], bottom[empty] = num_rows, -1
    rows = np.arange(num_rows, dtype=np.int16)[:, None]
    painted = np.zeros((num_rows, num_columns), np.bool_)
    end = area.start + len(top)
    painted[:, area.start : end] = (rows >= top.astype(np.int16)) & (rows <= bottom.astype(np.int16))
    return painted


def dots(painted: Bools) -> NDArray[np.uint8]:
    """Braille dot pattern of each cell (2 x 4 pixels)."""
    height, width = painted.shape[0] // DOT_ROWS, painted.shape[1] // DOT_COLUMNS
    pixels = painted.reshape(height, DOT_ROWS, width, DOT_COLUMNS).view(np.uint8)
    pattern = np.zeros((height, width), np.uint8)
    for row, weights in enumerate(_DOTS):
        for column, weight in enumerate(weights):
            pattern |= pixels[:, row, :, column] * np.uint8(weight)
    return pattern


def overlay(patterns: Sequence[NDArray[np.uint8]], height: int, width: int) -> tuple[NDArray[np.uint32], Ints]:
    """Code points of the cells, and which pattern owns each of them: the last one that touches it, or -1."""
    merged = np.zeros((height, width), np.uint8)
    owner = np.full((height, width), -1, np.int64)
    for index, pattern in enumerate(patterns):
        merged |= pattern
        owner[pattern > 0] = index
    return np.where(merged > 0, merged.astype(np.uint32) + 0x2800, np.uint32(32)), owner


def sparkline(values: ArrayLike, width: int) -> str:
    """A curve of at most `width` block characters; a gap is a space."""
    y = np.asarray(values, np.float64).ravel()
    if not len(y) or width < 1:
        return ""
    if len(y) > width:
        y = np.array([_mean(part) for part in np.array_split(y, width)])
    finite = y[np.isfinite(y)]
    if not len(finite):
        return " " * len(y)
    low, high = float(finite.min()), float(finite.max())
    part = np.full(len(y), 0.5) if high <= low else (y / 2 - low / 2) / (high / 2 - low / 2)
    level = np.where(np.isfinite(y), np.round(np.nan_to_num(part, posinf=0, neginf=0) * 7) + 1, 0).astype(int)
    return "".join(_BLOCKS[i] for i in level)


def _mean(part: Floats) -> float:
    finite = part[np.isfinite(part)]
    return float((finite / len(finite)).sum()) if len(finite) else float("nan")
