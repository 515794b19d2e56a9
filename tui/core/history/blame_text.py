"""Points of a history, and where a metric moved, in words; the command line and the screen say the same."""

from collections.abc import Sequence
from typing import Any

from pipeline.contract.metrics import Direction, direction
from tui.core.history.blaming import Blame
from tui.core.history.metric_history import Point
from tui.core.history.moves import Move
from tui.core.keys import MISSING, Key
from tui.core.values import format_delta, format_param, format_value, is_number

_STOPPED = frozenset({"running", "queued", "failed", "cancelled", "lost"})
ARROWS = {"better": "▲", "worse": "▼"}


def way(key: Key) -> Direction:
    """Which way a metric is better; of a param, neither."""
    return direction(key.text) if key.side == "metric" else "none"


def value_text(key: Key, value: Any) -> str:
    """A value as tables show it."""
    return format_value(value, key.text) if key.side == "metric" and value is not MISSING else format_param(value)


def note(point: Point) -> str:
    """Why a commit has no value; empty if it has one."""
    row = point.experiment
    if point.is_known:
        return ""
    if point.value is None:
        return "null"
    if row.is_pending:
        return "pending"
    if row.error:
        return row.status if row.status in _STOPPED else "unreadable"
    return "missing" if row.missing else "none"


def change_text(key: Key, point: Point) -> str:
    """How a point differs from the one before; the arrow says better or worse, the sign more or less."""
    change = format_delta(point.delta, key.text) if point.delta else ""
    if point.is_change and point.delta is None and point.previous is not MISSING:
        change = f"was {value_text(key, point.previous)}"
    return f"{ARROWS.get(point.verdict, '')} {change}".strip()


def count(number: int, noun: str) -> str:
    """`1 commit`, `2 commits`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def headline(blame: Blame) -> str:
    """Where it moved last, from what to what; or that it did not."""
    move = blame.move
    if move is None:
        return _unmoved(blame)
    key, row = blame.key, move.end.experiment
    moved = f"{key.text}: {value_text(key, move.start.value)} -> {value_text(key, move.end.value)}{_total(key, move)}"
    if move.kind == "step":
        return f"{moved} in {row.short_rev} {row.subject}"
    return f"{moved}, drifted over {count(len(move.changes), 'change')} that are each within the noise"


def noise_text(blame: Blame) -> str:
    """By how much it may differ by chance, and how that is known."""
    return f"noise: {format_value(blame.noise.size)}; {blame.noise.detail}"


def since_then(blame: Blame, move: Move) -> str:
    """What it has been since it moved."""
    later = blame.known[blame.known.index(move.end) :]
    return f"since then: {_range(blame.key, later)} in {count(len(later), 'commit')}"


def cause_text(blame: Blame) -> str:
    """Which commits may have made a step; empty where the commit itself did."""
    if blame.move is None or blame.move.kind == "drift" or (len(blame.suspects) == 1 and blame.origin is not None):
        return ""
    if blame.origin is None:
        return "it is not known which results were there before; any of these commits may have done it"
    return f"the results were committed there; the cause is in one of {count(len(blame.suspects), 'commit')}"


def _unmoved(blame: Blame) -> str:
    known = blame.known
    if not known:
        return f"{blame.key.text} has no value in {count(len(blame.points), 'commit')}"
    now, commits = value_text(blame.key, known[-1].value), count(len(blame.points), "commit")
    still = f"{blame.key.text} is {now} and has not moved by more than its noise in {commits}"
    return f"{still}; {_range(blame.key, known)}"


def _total(key: Key, move: Move) -> str:
    if move.delta is None:
        return ""
    verdict = "better" if (move.delta > 0) == (way(key) == "higher") else "worse"
    arrow = ARROWS[verdict] if way(key) != "none" else ""
    return f" ({f'{arrow} {format_delta(move.delta, key.text)}'.strip()})"


def _range(key: Key, points: Sequence[Point]) -> str:
    """Lowest and highest value of some points."""
    numbers = [point.value for point in points if is_number(point.value)]
    if not numbers:
        return "the same"
    low, high = value_text(key, min(numbers)), value_text(key, max(numbers))
    return f"always {low}" if low == high else f"between {low} and {high}"
