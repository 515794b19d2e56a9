"""What a stage records while it runs: metrics over its steps, events, answers to a few fixed prompts."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one metric, in the order of their steps; both arrays are of doubles and equally long."""

    stage: str
    """Stage; in a project of another make the path without suffix of a plot's file, or dvclive's folder."""
    name: str
    """Metric name, such as `train/loss`."""
    steps: "array[float]"
    values: "array[float]"
    """NaN where the value was not finite."""


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """What one series comes to; values that were not finite do not count."""

    stage: str
    name: str
    num_points: int
    """Points with a finite value."""
    first: float | None
    last: float | None
    """Value at the last step; None, as all the others, without a finite value."""
    last_step: float | None
    lowest: float | None
    lowest_step: float | None
    """First step with the lowest value."""
    highest: float | None
    highest_step: float | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was seen while a stage ran."""

    stage: str
    step: int
    time_s: float
    """Seconds since the stage started."""
    event: str
    """What: `spike`, `overfitting`, `kl`, and so on."""
    action: str
    """`warn`, `stop` or `note`."""
    message: str
    """In words, with the figures."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a model answered at one step of its training."""

    stage: str
    step: int
    prompt: str
    reference: str
    """Right answer; empty if none is known."""
    prediction: str


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file with series that cannot be shown."""

    path: str
    reason: str
    """Why."""
    is_missing: bool = False
    """Whether it only has to be brought here."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is in one or several series files."""

    series: tuple[Series, ...] = ()
    events: tuple[Event, ...] = ()
    unread: tuple[UnreadFile, ...] = ()


_MAX_NAMED = 3


def why_no_curves(files: Iterable[UnreadFile]) -> str:
    """One sentence for each reason; empty where all was read.

    >>> why_no_curves([UnreadFile("a.csv", "not here"), UnreadFile("b.csv", "not here")])
    'no curves from a.csv, b.csv: not here'
    """
    paths: dict[str, list[str]] = {}
    for file in files:
        paths.setdefault(file.reason, []).append(file.path)
    return "; ".join(f"no curves from {_named(some)}: {reason}" for reason, some in paths.items())


def _named(paths: list[str]) -> str:
    more = len(paths) - _MAX_NAMED
    return ", ".join(paths[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
