"""What a series comes to: its ends and its extremes."""

from collections.abc import Iterable

import numpy as np

from tui.core.series import Series, SeriesSummary


def summarize(series: Series) -> SeriesSummary:
    """First, last, lowest and highest finite value, and where they are."""
    steps, values = np.frombuffer(series.steps), np.frombuffer(series.values)
    finite = np.isfinite(values)
    if not finite.all():
        steps, values = steps[finite], values[finite]
    if not len(values):
        return SeriesSummary(series.stage, series.name, 0, None, None, None, None, None, None, None)
    low, high = int(values.argmin()), int(values.argmax())
    return SeriesSummary(
        series.stage, series.name, len(values), float(values[0]), float(values[-1]), float(steps[-1]),
        float(values[low]), float(steps[low]), float(values[high]), float(steps[high]),
    )  # fmt: skip


def summarize_all(series: Iterable[Series]) -> tuple[SeriesSummary, ...]:
    """Summaries of those that have any point."""
    return tuple(summarize(one) for one in series if len(one.steps))
