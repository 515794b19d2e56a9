"""The series format: one JSON object per logged step while running, a CSV table for DVC's plots at the end.

A point is `{"step": 10, "time_s": 3.2, "train/loss": 1.5, ...}`: `step` counts the stage's own unit, `time_s` is
seconds since the stage started, everything else is a metric. An event has texts instead of metrics, `{"step": 10,
"time_s": 3.2, "event": "spike", "action": "warn", "message": "..."}`; in the table it is a row of its own. A file that
is being written may end in a torn line; a reader stops at the last newline.
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

Point = dict[str, float | None]
"""One logged step; None where a value was not finite."""

STEP = "step"
TIME = "time_s"
EVENT = "event"
EVENT_COLUMNS = (EVENT, "action", "message")
"""Columns of the table that hold text; there only if something was seen."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was seen while a stage ran."""

    step: int
    """Step at which it was seen."""
    time_s: float
    """Seconds since the stage started."""
    event: str
    """What: `early_stopping`, `overfitting`, `not_finite`, `spike`, `reward_collapse`, `kl`, `resumed`."""
    action: str
    """`warn`, `stop` or `note`."""
    message: str
    """In words, with the figures."""


def finite(value: float | None) -> float | None:
    """The value, or None where JSON has no number for it."""
    return value if value is not None and math.isfinite(value) else None


def encode_point(step: int, time_s: float, metrics: Mapping[str, float | None]) -> bytes:
    """One line of series.jsonl."""
    point: Point = {STEP: step, TIME: round(time_s, 3)}
    point.update({name: finite(value) for name, value in metrics.items()})
    return json.dumps(point, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def encode_event(event: Event) -> bytes:
    """One line of series.jsonl."""
    return json.dumps(_event_row(event), separators=(",", ":")).encode() + b"\n"


def decode_points(data: bytes) -> Iterator[Point]:
    """Points of all complete lines; events, and lines that are no JSON object, are skipped."""
    return (line for line in _decode(data) if EVENT not in line)


def decode_events(data: bytes) -> Iterator[Event]:
    """Events of all complete lines."""
    for line in _decode(data):
        if EVENT in line:
            texts = [str(line.get(name, "")) for name in EVENT_COLUMNS]
            yield Event(_number(line[STEP], int), _number(line.get(TIME), float), *texts)


def encode_table(points: Sequence[Point], events: Sequence[Event] = ()) -> str:
    """CSV with one row per point or event and one column per metric, empty where a point has no value."""
    rows: list[dict[str, Any]] = [*points, *map(_event_row, events)]
    rows.sort(key=lambda row: row[STEP])
    names = list(dict.fromkeys(name for row in (*points, *rows) for name in row)) or [STEP, TIME]
    text = StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _decode(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and STEP in value:
            yield value


def _event_row(event: Event) -> dict[str, Any]:
    return {STEP: event.step, TIME: round(event.time_s, 3), EVENT: event.event} | {
        name: getattr(event, name) for name in EVENT_COLUMNS[1:]
    }


def _number(value: Any, kind: Any) -> Any:
    """A number from a file that anybody may have written."""
    return kind(value) if isinstance(value, int | float) and math.isfinite(value) else kind(0)
