"""The legend of a chart: glyph, label and value of each series, as far as there is room."""

from collections.abc import Sequence

from tui.widgets.chart_picture import glyph
from tui.widgets.chart_series import Trace
from tui.widgets.text import cell_width, neutral, shorten
from tui.widgets.ticks import short_number, step_number

GAP = "  "
_SHORTEST_LABEL = 6
Part = tuple[str, int | None]
"""Text, and the index of the series that it belongs to."""


def legend(traces: Sequence[Trace], width: int, crosshair: float | None) -> list[Part]:
    """Entries within `width` cells: without labels if not even one fits with it; what is left out is counted."""
    shown = [(i, trace) for i, trace in enumerate(traces) if not trace.series.faint]
    values = {i: _value(trace, crosshair) for i, trace in shown}
    longest = max(map(len, values.values()), default=0) + len(GAP) + 3
    room = max(_SHORTEST_LABEL, width // max(len(shown), 1) - longest)
    marks = {i: glyph(trace.slot(i)) for i, trace in shown}
    full = [(f"{marks[i]} {_name(t, room)}{values[i]}", i) for i, t in shown]
    short = [(f"{marks[i]} {values[i]}", i) for i, _ in shown]
    return _fitted(full, width, GAP) or _fitted(short, width, " ") or [(shorten(f"{len(shown)} series", width), None)]


def _name(trace: Trace, room: int) -> str:
    """None where the title of the chart says it already."""
    label = neutral(trace.series.label)
    return f"{shorten(label, room)} " if label else ""


def _fitted(entries: Sequence[tuple[str, int]], width: int, gap: str) -> list[Part]:
    """The first entries and how many are missing; nothing if not even one fits."""
    parts: list[Part] = []
    used = 0
    for number, (text, index) in enumerate(entries):
        missing = len(entries) - number
        reserved = 0 if missing == 1 else len(gap) + len(f"+{missing - 1}")
        if used + cell_width(text) + reserved > width:
            return [*parts, (f"+{missing}", None)] if parts else []
        parts += [(text, index), (gap, None)]
        used += cell_width(text) + len(gap)
    return parts[:-1]


def _value(trace: Trace, crosshair: float | None) -> str:
    if crosshair is None:
        return "-" if trace.last is None else short_number(trace.last)
    found = trace.nearest(crosshair)
    return "-" if found is None else short_number(found[1])


def sample_step(traces: Sequence[Trace], crosshair: float | None) -> str:
    """The step of the sample that is nearest to the cross-hair; empty without one."""
    if crosshair is None:
        return ""
    steps = [found[0] for trace in traces if (found := trace.nearest(crosshair)) is not None]
    return step_number(min(steps, key=lambda step: abs(step - crosshair))) if steps else ""
