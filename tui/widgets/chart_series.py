"""The series of a chart: what a caller hands over, and the growing buffers that are drawn from."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tui.widgets.raster import Bools, Curve, Floats, Spans, curve, positive, spans, window


@dataclass(frozen=True, slots=True, eq=False)
class ChartSeries:
    """One curve. Values that are not finite are gaps; the arrays must not be changed afterwards."""

    label: str
    steps: ArrayLike
    values: ArrayLike
    slot: int | None = None
    """Colour and glyph, so that a run looks alike in every chart; None: its place in the chart."""
    faint: bool = False
    """Drawn behind the others, without a place in the legend (the raw curve under a smoothed one)."""


class Trace:
    """A series ready to be drawn: finite points in buffers that grow, and the last decimation."""

    def __init__(self, series: ChartSeries) -> None:
        self.series = series
        self._hold(curve(series.steps, series.values))
        self._open_gap = _ends_in_gap(series.values)
        self._appended = False

    def _hold(self, points: Curve) -> None:
        self._steps, self._values, self._breaks = points.steps, points.values, points.breaks
        self._length = len(points.steps)
        self._forget()

    def _forget(self) -> None:
        self._positive: Curve | None = None
        self._view: tuple[float, float, int, bool] | None = None
        self._spans: Spans | None = None

    @property
    def points(self) -> Curve:
        """The finite points, in step order."""
        end = self._length
        breaks = None if self._breaks is None else self._breaks[:end]
        return Curve(self._steps[:end], self._values[:end], breaks)

    @property
    def has_whole_steps(self) -> bool:
        """Whether no step has a fraction."""
        steps = self._steps[: self._length]
        return bool(np.array_equal(steps, np.rint(steps)))

    @property
    def last(self) -> float | None:
        """The last finite value."""
        return float(self._values[self._length - 1]) if self._length else None

    def positive_points(self) -> Curve:
        """The points that a logarithmic axis can show."""
        if self._positive is None:
            self._positive = positive(self.points)
        return self._positive

    def slot(self, index: int) -> int:
        """Number of the colour and glyph of a series in this place of the chart."""
        return index if self.series.slot is None else self.series.slot

    def is_of(self, series: ChartSeries) -> bool:
        """Whether this is that very series, with nothing appended."""
        mine = self.series
        same = mine.steps is series.steps and mine.values is series.values and not self._appended
        return same and (mine.label, mine.slot, mine.faint) == (series.label, series.slot, series.faint)

    def looks_like(self, other: "Trace") -> bool:
        """Whether drawing the other one would give the same picture."""
        mine, theirs = self.series, other.series
        if (mine.label, mine.slot, mine.faint) != (theirs.label, theirs.slot, theirs.faint):
            return False
        ours, new = self.points, other.points
        same = np.array_equal(ours.steps, new.steps) and np.array_equal(ours.values, new.values)
        return same and np.array_equal(_flags(ours), _flags(new))

    def append(self, steps: ArrayLike, values: ArrayLike) -> bool:
        """Add points after the last one; whether anything was added to the drawing."""
        self._appended = True
        new = curve(steps, values)
        if len(new.steps) and self._length and new.steps[0] < self._steps[self._length - 1]:
            self._insert(new)
            return True
        breaks = _flags(new)
        if len(breaks):
            breaks[0] |= self._open_gap
            self._open_gap = False
        self._open_gap |= _ends_in_gap(values)
        if not len(new.steps):
            return False
        if self._breaks is None and breaks.any():
            self._breaks = np.zeros(len(self._steps), np.bool_)
        self._grow(new, breaks)
        return True

    def _grow(self, new: Curve, breaks: Bools) -> None:
        start, end = self._length, self._length + len(new.steps)
        if end > len(self._steps) or not self._steps.flags.writeable or self._steps.base is not None:
            self._steps, self._values = _room(self._steps[:start], end), _room(self._values[:start], end)
            if self._breaks is not None:
                self._breaks = np.concatenate([self._breaks[:start], np.zeros(len(self._steps) - start, np.bool_)])
        self._steps[start:end], self._values[start:end] = new.steps, new.values
        if self._breaks is not None:
            self._breaks[start:end] = breaks
        self._length = end
        self._forget()

    def _insert(self, new: Curve) -> None:
        """Points that lie before the last one: sort everything again."""
        old = self.points
        steps = np.concatenate([old.steps, new.steps])
        order = np.argsort(steps, kind="stable")
        breaks = np.concatenate([_flags(old), _flags(new)])[order]
        self._hold(Curve(steps[order], np.concatenate([old.values, new.values])[order], breaks))

    def decimated(self, x0: float, x1: float, num_columns: int, *, log: bool) -> Spans | None:
        """The spans of the visible range; computed again only when the range or the points changed."""
        view = (x0, x1, num_columns, log)
        if view != self._view:
            points = self.positive_points() if log else self.points
            self._view, self._spans = view, spans(points, x0, x1, num_columns, log=log)
        return self._spans

    def limits(self, x0: float, x1: float, *, log: bool) -> tuple[float, float] | None:
        """Smallest and largest value (or its logarithm) in the visible range."""
        y = window(self.positive_points() if log else self.points, x0, x1).values
        if not len(y):
            return None
        low, high = float(y.min()), float(y.max())
        return (math.log10(low), math.log10(high)) if log else (low, high)

    def nearest(self, step: float) -> tuple[float, float] | None:
        """Step and value of the sample nearest to a step."""
        if not self._length:
            return None
        steps = self._steps[: self._length]
        after = min(int(np.searchsorted(steps, step)), self._length - 1)
        before = max(after - 1, 0)
        index = before if step - steps[before] < steps[after] - step else after
        return float(steps[index]), float(self._values[index])


def _flags(points: Curve) -> Bools:
    return np.zeros(len(points.steps), np.bool_) if points.breaks is None else points.breaks.copy()


def _room(values: Floats, needed: int) -> Floats:
    """A buffer that begins with the values and has room for more."""
    grown: NDArray[np.float64] = np.empty(max(64, needed * 3 // 2), np.float64)
    grown[: len(values)] = values
    return grown


def _ends_in_gap(values: ArrayLike) -> bool:
    last = np.asarray(values, np.float64).ravel()[-1:]
    return bool(len(last)) and not bool(np.isfinite(last[0]))
