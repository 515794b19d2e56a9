"""Points of series, gathered piece by piece; and what finetui writes while it trains, as JSON lines."""

import math
from array import array
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.contract.series import EVENT, STEP, TIME, decode_events, decode_points
from tui.core.series import Event, Recording, Series

STEP_COLUMNS = ("step", "epoch", "iteration", "iter", "global_step")
"""Columns that hold the steps where nothing says which does."""
TIME_COLUMNS = {TIME, "timestamp", "time"}
"""Columns that are no metrics."""
_EVENT_MARK = f'"{EVENT}"'.encode()
Result = TypeVar("Result", covariant=True)


class Decoder(Protocol[Result]):
    """Takes complete lines, and knows all that they say so far."""

    def feed(self, data: bytes) -> None:
        """Take complete lines."""

    def result(self) -> Result:
        """A copy of all so far."""


class _Column:
    """Points of one metric."""

    __slots__ = ("is_ordered", "steps", "values")

    def __init__(self) -> None:
        self.steps, self.values = array("d"), array("d")
        self.is_ordered = True

    def copies(self) -> "tuple[array[float], array[float]]":
        """Steps and values in the order of steps; of equal steps the order in the file stays."""
        if self.is_ordered:
            return self.steps[:], self.values[:]
        order = np.argsort(np.frombuffer(self.steps), kind="stable")
        return _taken(self.steps, order), _taken(self.values, order)


class Columns:
    """Points of several metrics, and events; `name` replaces the column's name where there is just one."""

    def __init__(self, stage: str, name: str | None = None) -> None:
        self._stage, self._name = stage, name
        self._columns: dict[str, _Column] = {}
        self._events: list[Event] = []

    def expect(self, names: Iterable[str]) -> None:
        """Series come in this order, whichever has a point first."""
        for name in names:
            self._column(name)

    def add(self, name: str, step: float, value: float) -> None:
        """Append one point; a value that is not finite becomes NaN, a step that is not finite is none."""
        if not math.isfinite(step):
            return
        column = self._column(name)
        if column.steps and step < column.steps[-1]:
            column.is_ordered = False
        column.steps.append(step)
        column.values.append(value if math.isfinite(value) else math.nan)

    def extend(self, name: str, steps: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Append points; all numbers are finite."""
        if len(steps):
            column = self._column(name)
            if (column.steps and steps[0] < column.steps[-1]) or (steps[1:] < steps[:-1]).any():
                column.is_ordered = False
            column.steps.frombytes(steps.tobytes())
            column.values.frombytes(values.tobytes())

    def _column(self, name: str) -> _Column:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = _Column()
        return column

    def add_event(self, event: Event) -> None:
        """Append what was seen."""
        self._events.append(event)

    def result(self) -> Recording:
        """A copy of all so far."""
        found = {key: column for key, column in self._columns.items() if column.steps}
        name = self._name if len(found) == 1 else None
        series = (Series(self._stage, name or key, *column.copies()) for key, column in found.items())
        return Recording(tuple(series), tuple(self._events))


class LinesDecoder(Columns):
    """series.jsonl of finetui."""

    def feed(self, data: bytes) -> None:
        """Take complete lines."""
        for point in decode_points(data):
            step = number(point[STEP])
            if step is None:
                continue
            for name, value in point.items():
                if name not in {STEP, TIME} and (value is None or isinstance(value, int | float)):
                    self._add_value(name, step, value)
        if _EVENT_MARK in data:  # seldom; else nothing is decoded twice
            for event in decode_events(data):
                self.add_event(Event(self._stage, **asdict(event)))

    def _add_value(self, name: str, step: float, value: float | None) -> None:
        found = math.nan if value is None else number(value)
        if found is not None:
            self.add(name, step, found)


def number(value: Any) -> float | None:
    """A number, or text that is one; `1_000` and true are none."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def step_column(names: Iterable[str], x: str | None) -> str | None:
    """Which of the columns holds the steps."""
    known = list(names)
    return next((name for name in (x, *STEP_COLUMNS) if name in known), None)


def _taken(values: "array[float]", order: Any) -> "array[float]":
    made = array("d")
    made.frombytes(np.frombuffer(values)[order].tobytes())
    return made
