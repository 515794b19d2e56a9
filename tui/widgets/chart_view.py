"""Which range of steps a chart shows: the whole, or a part that may follow the newest points."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tui.widgets.chart_series import Trace
from tui.widgets.ticks import nice_step

_SMALLEST_PART = 1e-6  # of the whole range; closer than this there is nothing more to see


@dataclass(frozen=True, slots=True)
class View:
    """A range of steps."""

    x0: float
    x1: float

    @property
    def extent(self) -> float:
        """Number of steps in view."""
        return self.x1 - self.x0

    def cell_of(self, step: float, width: int) -> int | None:
        """The column of a plot of this width that shows a step."""
        if not self.x0 <= step <= self.x1:
            return None
        return min(int((step - self.x0) / self.extent * width), width - 1)

    def step_at(self, cell: int, width: int) -> float:
        """The step in the middle of a column."""
        return self.x0 + (cell + 0.5) / width * self.extent


@dataclass(frozen=True, slots=True)
class Zoom:
    """A part of the whole range, by its right end; infinity follows the newest points."""

    part: float
    end: float

    def within(self, whole: View) -> View:
        """The range that is shown of this whole."""
        extent = whole.extent * self.part
        end = min(max(self.end, whole.x0 + extent), whole.x1)
        return View(end - extent, end)


def look_at(whole: View, x0: float, x1: float) -> Zoom | None:
    """The zoom that shows a range; None shows everything."""
    part = (x1 - x0) / whole.extent
    if part >= 1:
        return None
    return Zoom(max(part, _SMALLEST_PART), math.inf if x1 >= whole.x1 else x1)


def zoomed(whole: View, view: View, factor: float, fixed: float | None) -> Zoom | None:
    """Show `factor` times as many steps; `fixed` keeps its place, or else the right end."""
    fixed = view.x1 if fixed is None else min(max(fixed, view.x0), view.x1)
    return look_at(whole, fixed - (fixed - view.x0) * factor, fixed + (view.x1 - fixed) * factor)


def panned(whole: View, view: View, part: float) -> Zoom | None:
    """Move by a part of the view, not beyond the data."""
    shift = max(whole.x0 - view.x0, min(whole.x1 - view.x1, view.extent * part))
    return look_at(whole, view.x0 + shift, view.x1 + shift)


def whole_view(traces: Sequence[Trace]) -> View:
    """All points; the right border is a round step, so that a growing series does not move everything."""
    ends = [(float(t.points.steps[0]), float(t.points.steps[-1])) for t in traces if len(t.points.steps)]
    if not ends:
        return View(0.0, 1.0)
    x0, x1 = min(end[0] for end in ends), max(end[1] for end in ends)
    if x1 - x0 <= abs(x0) * 1e-12:
        margin = max(abs(x0) * 1e-3, 0.5)
        return View(x0 - margin, x0 + margin)
    step = nice_step((x1 - x0) / 50, 1)
    rounded = math.ceil(x1 / step - 1e-9) * step
    return View(x0, max(rounded, x1))
