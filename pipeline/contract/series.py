"""The series format: one JSON object per logged step while running, a CSV table for DVC's plots at the end.

A point is `{"step": 10, "time_s": 3.2, "train/loss": 1.5, ...}`: `step` counts the stage's own unit, `time_s` is
seconds since the stage started, everything else is a metric. A file that is being written may end in a torn line; a
reader stops at the last newline.
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from io import StringIO

Point = dict[str, float | None]
"""One logged step; None where a value was not finite."""

STEP = "step"
TIME = "time_s"


def finite(value: float | None) -> float | None:
    """The value, or None where JSON has no number for it."""
    return value if value is not None and math.isfinite(value) else None


def encode_point(step: int, time_s: float, metrics: Mapping[str, float | None]) -> bytes:
    """One line of series.jsonl."""
    point: Point = {STEP: step, TIME: round(time_s, 3)}
    point.update({name: finite(value) for name, value in metrics.items()})
    return json.dumps(point, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def decode_points(data: bytes) -> Iterator[Point]:
    """Points of all complete lines; a line that is no JSON object is skipped."""
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        try:
            point = json.loads(line)
        except ValueError:
            continue
        if isinstance(point, dict) and STEP in point:
            yield point


def encode_table(points: list[Point]) -> str:
    """CSV with one row per point and one column per metric, empty where a point has no value."""
    names = list(dict.fromkeys(name for point in points for name in point)) or [STEP, TIME]
    text = StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(points)
    return text.getvalue()
