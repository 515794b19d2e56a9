"""One metric or param along a line of commits: its values, and by how much each differs from the one before."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.contract.metrics import direction
from tui.core.columns import short_title
from tui.core.comparison import Verdict, metric_cell
from tui.core.errors import UsageError
from tui.core.experiments import Experiment
from tui.core.keys import MISSING, Key, all_keys, same

_NUM_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Point:
    """A commit with its value."""

    experiment: Experiment
    value: Any
    """MISSING where the commit has none."""
    previous: Any = MISSING
    """Value of the nearest earlier commit that has one; MISSING if none has."""
    delta: float | None = None
    """Value minus the previous one; None unless both are numbers."""
    verdict: Verdict = "none"
    """Against the previous value."""
    is_stale: bool = False
    """Whether the value belongs to other params, code or data than the commit has."""

    @property
    def is_known(self) -> bool:
        """Whether it has a value; null stands for a number that was not finite, and is none."""
        return self.value is not MISSING and self.value is not None

    @property
    def is_change(self) -> bool:
        """Whether the value differs from the previous one, or is the first."""
        return self.is_known and not same(self.value, self.previous)


@dataclass(frozen=True, slots=True)
class Folded:
    """A point, and how many after it on the line were left out because nothing had changed there."""

    point: Point
    num_folded: int = 0


def find_key(text: str, rows: Sequence[Experiment]) -> Key | None:
    """The metric, or else the param, that a user means by its name, by `file:name`, or by the title of its column;
    None if no row has it. UsageError where several files have it."""
    keys = [*all_keys(rows, "metric"), *all_keys(rows, "param")]
    exact = [key for key in keys if text == key.text]
    found = exact or [key for key in keys if text in {key.name, short_title(key), f"{key.path}:{key.name}"}]
    found = found or _in_file(text, keys, rows)
    if len({key.side for key in found}) > 1:
        found = [key for key in found if key.side == "metric"]
    if len(found) > 1:
        names = [key.text for key in found]
        raise UsageError(f"{text!r} is in several files", ", ".join(names), f"say which: {names[0]}")
    return found[0] if found else None


def _in_file(text: str, keys: Sequence[Key], rows: Sequence[Experiment]) -> list[Key]:
    """A name with its file, though no other file has that name."""
    path, colon, name = text.partition(":")
    found = [replace(key, path=path) for key in keys if colon and key.name == name and key.path is None]
    return [key for key in found if any(key.value(row) is not MISSING for row in rows)]


def unknown_key(text: str, rows: Sequence[Experiment]) -> UsageError:
    """No row has it: the nearest names."""
    names = [key.text for key in (*all_keys(rows, "metric"), *all_keys(rows, "param"))]
    near = difflib.get_close_matches(text, names, n=_NUM_NEAREST, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "finetui show HEAD lists what a commit has"
    return UsageError(f"no commit here has a metric or param {text!r}", hint=hint)


def trace(rows: Iterable[Experiment], key: Key) -> Iterator[Point]:
    """Points of a line of commits, newest first as they come; each as soon as the value before it is known."""
    waiting: list[Point] = []
    for row in rows:
        point = Point(row, key.value(row))
        if point.is_known:
            yield from (_against(other, point.value, key) for other in waiting)
            waiting = []
        waiting.append(point)
    yield from waiting


def _against(point: Point, previous: Any, key: Key) -> Point:
    if not point.is_known:
        return replace(point, previous=previous)
    cell = metric_cell(point.value, previous, direction(key.text) if key.side == "metric" else "none")
    return replace(point, previous=previous, delta=cell.delta, verdict=cell.verdict)


def fold(points: Iterable[Point]) -> Iterator[Folded]:
    """The newest point and those where the value changed; each with the number of others that followed it."""
    last: Point | None = None
    num_folded = 0
    for point in points:
        if last is not None and not point.is_change:
            num_folded += 1
            continue
        if last is not None:
            yield Folded(last, num_folded)
        last, num_folded = point, 0
    if last is not None:
        yield Folded(last, num_folded)
