"""Where a metric last moved by more than its noise: in one step, or in many small ones.

The line is cut into plateaus. A plateau begins with a value, and goes on while values differ from that first one, not
only from their neighbour, by no more than the noise. Where it ends, the metric has moved: in a step, if the neighbour
differs by more than the noise, too; otherwise it has drifted there since the plateau began. Drifts that follow each
other in the same direction are one, and the last one goes on for as long as no value turns back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

from tui.core.history.metric_history import Point
from tui.core.history.noise import Noise
from tui.core.values import as_float


@dataclass(frozen=True, slots=True)
class Move:
    """A change by more than the noise."""

    kind: Literal["step", "drift"]
    start: Point
    """Last commit that had the old value; of a drift, the commit with which it began."""
    end: Point
    """The commit that made the step; of a drift, the one with which it ended."""
    changes: tuple[Point, ...]
    """Commits after `start` up to `end` where the value changed at all, oldest first."""

    @property
    def delta(self) -> float | None:
        """New value minus old one; None unless both are numbers."""
        old, new = as_float(self.start.value), as_float(self.end.value)
        return None if old is None or new is None else new - old


def moves(points: Sequence[Point], noise: Noise) -> list[Move]:
    """All moves of a line, oldest first; the points are in the same order, and all of them have a value."""
    found: list[Move] = []
    first = 0
    for place in range(1, len(points)):
        if noise.moved(points[first], points[place]):
            found.append(_move(points, first, place, noise))
            first = place
    return found


def last_move(points: Sequence[Point], noise: Noise) -> Move | None:
    """The last move, with all of the drift that it belongs to; None if there is none."""
    found = moves(points, noise)
    if not found:
        return None
    last = found[-1]
    for earlier in reversed(found[:-1]):
        if not _continues(earlier, last):
            break
        last = Move("drift", earlier.start, last.end, (*earlier.changes, *last.changes))
    return _extended(last, points) if last.kind == "drift" else last


def left(points: Sequence[Point], noise: Noise) -> Move | None:
    """Where the line left the value of its first point for good; None if the last one has it still."""
    at_home = [place for place, point in enumerate(points) if not noise.moved(points[0], point)]
    last = at_home[-1]
    if last == len(points) - 1:
        return None
    is_step = noise.moved(points[last], points[last + 1])
    return _between(points, last if is_step else 0, last + 1, "step" if is_step else "drift")


def _move(points: Sequence[Point], first: int, place: int, noise: Noise) -> Move:
    if noise.moved(points[place - 1], points[place]):
        return _between(points, place - 1, place, "step")
    return _between(points, first, place, "drift")


def _between(points: Sequence[Point], first: int, place: int, kind: Literal["step", "drift"]) -> Move:
    changes = tuple(point for point in points[first + 1 : place + 1] if point.is_change)
    return Move(kind, points[first], points[place], changes)


def _extended(drift: Move, points: Sequence[Point]) -> Move:
    """The drift with what followed it in its direction, which is not yet more than the noise."""
    place = points.index(drift.end)
    later = list(takewhile(lambda point: point.delta is not None and _agree(point.delta, drift), points[place + 1 :]))
    changes = [point for point in later if point.is_change]
    return replace(drift, end=changes[-1], changes=(*drift.changes, *changes)) if changes else drift


def _agree(delta: float, drift: Move) -> bool:
    return drift.delta is not None and delta * drift.delta >= 0


def _continues(earlier: Move, later: Move) -> bool:
    """Whether two drifts are one: in the same direction, and one begins where the other ended."""
    if earlier.kind != "drift" or later.kind != "drift" or earlier.end is not later.start:
        return False
    one, other = earlier.delta, later.delta
    return one is not None and other is not None and (one > 0) == (other > 0)
