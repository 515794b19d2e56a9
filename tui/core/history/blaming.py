"""Where a metric last moved on a line of commits, given the noise that applies, and what may have caused it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tui.core.errors import UsageError, UserError
from tui.core.experiments import Experiment
from tui.core.history.metric_history import Point
from tui.core.history.moves import Move, last_move, left
from tui.core.history.noise import Noise, interval_noise, seed_noise
from tui.core.history.paired_tests import PairedTests
from tui.core.history.staleness import is_own
from tui.core.keys import Key
from tui.core.ports import Store
from tui.core.values import is_number

_MAX_SUSPECTS = 100


@dataclass(frozen=True, slots=True)
class Blame:
    """What the commits say about one metric."""

    key: Key
    points: tuple[Point, ...]
    """Oldest first, those without a value as well."""
    noise: Noise
    move: Move | None
    """The last one; None if it never moved."""
    origin: Experiment | None = None
    """Last commit before the move whose results are known to be its own."""
    suspects: tuple[Experiment, ...] = ()
    """Commits after that one up to the move: any of them may have made it."""

    @property
    def known(self) -> list[Point]:
        """Points with a value."""
        return [point for point in self.points if point.is_known]


def read_noise(store: Store, key: Key, points: Sequence[Point], experiments: Sequence[Experiment]) -> Noise:
    """What experiments that differ only in their seed tell, else the examples, else nothing."""
    known = [point for point in points if point.is_known]
    if known and key.side == "metric" and is_number(known[-1].value):
        found = seed_noise(key, experiments) or _example_noise(store, key, known[-1])
        if found is not None:
            return found
    return Noise(0.0, "none", "nothing tells it, so every change counts")


def _example_noise(store: Store, key: Key, newest: Point) -> Noise | None:
    """Paired tests of commits that have results of the same examples, else the interval of the newest value."""
    try:
        found = interval_noise(key, newest.value, store.scores(newest.experiment))
    except UserError:
        return None  # a broken file tells nothing
    return None if found is None else replace(found, paired=PairedTests(store, key))


def find_move(store: Store, key: Key, points: tuple[Point, ...], noise: Noise, is_since_first: bool = False) -> Blame:
    """Where it last moved; or where it left the value of the first point for good."""
    known = [point for point in points if point.is_known]
    move = None
    if known:
        move = left(known, noise) if is_since_first else last_move(known, noise)
    if move is None:
        return Blame(key, points, _of_largest(noise, known), None)
    origin, suspects = _suspects(store, points, move, key.side == "param")
    return Blame(key, points, noise.between(move.start, move.end), move, origin, tuple(suspects))


def _of_largest(noise: Noise, known: Sequence[Point]) -> Noise:
    """The noise that the largest change stays within."""
    changed = [point for point in known[1:] if point.is_change]
    if not changed:
        return replace(noise, paired=None)
    largest = max(changed, key=lambda point: abs(point.delta or 0.0))
    return noise.between(known[known.index(largest) - 1], largest)


def points_since(points: tuple[Point, ...], baseline: Experiment) -> tuple[Point, ...]:
    """The part of a line that begins with a baseline; UsageError if that is not on it, or has no value."""
    places = [place for place, point in enumerate(points) if point.experiment.rev == baseline.rev]
    if not places:
        newest = points[-1].experiment.label if points else "the newest commit"
        detail = f"{baseline.label} is not on the first-parent line of {newest}"
        raise UsageError("--baseline must be an earlier commit", detail, "git log --first-parent lists them")
    if not points[places[0]].is_known:
        raise UsageError(f"--baseline {baseline.label} has no value", hint="choose a commit that has one")
    return points[places[0] :]


def _suspects(
    store: Store, points: Sequence[Point], move: Move, is_param: bool
) -> tuple[Experiment | None, list[Experiment]]:
    """The last commit before the move whose results are known to be its own, and those after it up to the move.

    A change of code, params or data shows in a metric only once the pipeline has run: any of these may have made it.
    """
    if move.kind == "drift":
        return move.start.experiment, [point.experiment for point in move.changes]
    place = points.index(move.end)
    suspects = [move.end.experiment]
    if is_param:
        return points[place - 1].experiment, suspects
    while place > 0 and len(suspects) < _MAX_SUSPECTS:
        place -= 1
        own = points[place].experiment
        is_first = place == 0
        if is_first or is_own(store, points[place - 1], points[place]):
            return own, suspects[::-1]
        suspects.append(own)
    return None, suspects[::-1]
