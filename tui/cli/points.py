"""A commit and its value, as `log --json` and `blame --json` print it."""

from typing import Any

from tui.core.history.blame_text import note
from tui.core.history.metric_history import Point
from tui.core.keys import MISSING


def point_json(point: Point) -> dict[str, Any]:
    """What is null has no value; the note says why."""
    row = point.experiment
    return {
        "rev": row.rev,
        "name": row.name,
        "refs": row.refs,
        "timestamp": row.timestamp,
        "subject": row.subject,
        "value": None if point.value is MISSING else point.value,
        "previous": None if point.previous is MISSING else point.previous,
        "delta": point.delta,
        "verdict": point.verdict,
        "note": note(point),
        "stale": point.is_stale,
        "error": row.error,
    }
