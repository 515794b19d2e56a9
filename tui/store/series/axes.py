"""Steps of a plot that are in another file than its values: `x: {times.csv: step}` beside `y: {loss.csv: loss}`."""

from tui.core.series import Recording, Series
from tui.store.series.points import Columns


def with_axis(recording: Recording, axis: Recording) -> Recording:
    """The series, whose steps count rows, over what the axis has in the same rows; rows without that are left out."""
    unread = recording.unread + axis.unread
    if not axis.series:
        return Recording((), recording.events, unread)
    steps = dict(zip(axis.series[0].steps, axis.series[0].values, strict=True))
    moved = (one for series in recording.series for one in _moved(series, steps))
    return Recording(tuple(moved), recording.events, unread)


def _moved(series: Series, steps: dict[float, float]) -> "tuple[Series, ...]":
    columns = Columns(series.stage, series.name)
    for row, value in zip(series.steps, series.values, strict=True):
        if row in steps:
            columns.add(series.name, steps[row], value)
    return columns.result().series
