"""The table and the curve of the History screen."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tui.core.history.blame_text import change_text, note, value_text
from tui.core.history.blaming import Blame
from tui.core.history.metric_history import Folded, Point, fold
from tui.core.values import as_float, format_delta
from tui.widgets.chart import ChartSeries
from tui.widgets.table import Cell, Column, ListRows
from tui.widgets.times import age

_JUDGED = frozenset({"better", "worse"})
_STYLES = {"better": "good", "worse": "bad", "equal": "muted", "none": "", "noise": "muted"}


def columns(*, only_changes: bool) -> list[Column]:
    """The subject last, which may be cut; among changes alone, how many commits each was followed by without one."""
    found = [
        Column("sign", "", width=1),
        Column("commit", "commit", width=7),
        Column("when", "when", "right", min_width=6, max_width=12),
        Column("value", "value", "right", min_width=7, max_width=14),
        Column("change", "change", min_width=9, max_width=20),
    ]
    alike = [Column("alike", "alike", "right")] if only_changes else []
    return [*found, *alike, Column("subject", "subject", max_width=200)]


def rows_of(blame: Blame, now: datetime, *, only_changes: bool) -> ListRows:
    """The newest commit first; the one that made the last move and those that may be its cause are marked."""
    points = reversed(blame.points)
    shown: Iterable[Folded] = fold(points) if only_changes else map(Folded, points)
    signs = {row.rev: "◇" for row in blame.suspects}
    if blame.move is not None:
        signs[blame.move.end.experiment.rev] = "◆"
    return ListRows([_row(blame, one, signs, now) for one in shown])


def _row(blame: Blame, one: Folded, signs: Mapping[str, str], now: datetime) -> tuple[str, Mapping[str, Cell]]:
    point, row = one.point, one.point.experiment
    missing = note(point)
    names = f"({', '.join(row.refs)}) " if row.refs else ""
    return row.rev, {
        "sign": (signs.get(row.rev, ""), "accent"),
        "commit": row.short_rev,
        "when": age(row.timestamp, now) if row.timestamp is not None else "",
        "value": (missing, "muted") if missing else value_text(blame.key, point.value),
        "change": _change(blame, point),
        "alike": (f"+{one.num_folded}" if one.num_folded else "", "muted"),
        "subject": f"{names}{row.subject or row.label}",
    }


def _change(blame: Blame, point: Point) -> Cell:
    """What can be chance is said to be, as in a comparison."""
    if point.verdict in _JUDGED and not blame.noise.is_move(point.previous, point.value):
        return f"~ {format_delta(point.delta, blame.key.text)}", "muted"
    return change_text(blame.key, point), _STYLES[point.verdict]


def curve_of(blame: Blame) -> tuple[ChartSeries, ...]:
    """Values over the commits, the oldest at 1; nothing where a commit has none."""
    numbers = [(float(place), as_float(point.value)) for place, point in enumerate(blame.points, start=1)]
    known = [(place, number) for place, number in numbers if number is not None]
    if not known:
        return ()
    steps, values = zip(*known, strict=True)
    return (ChartSeries("", steps, values),)  # the title of the chart names it


def mark_of(blame: Blame) -> tuple[float, ...]:
    """Where the last move is in the curve."""
    if blame.move is None:
        return ()
    end = blame.move.end.experiment.rev
    return tuple(float(place) for place, point in enumerate(blame.points, start=1) if point.experiment.rev == end)
