"""Decodes series files piece by piece: JSON lines, CSV and TSV tables, JSON plots."""

import csv
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

from pipeline.contract.series import EVENT, EVENT_COLUMNS, STEP, TIME, decode_events, decode_points
from tui.core.series import Event, Recording, Series

_STEP_COLUMNS = ("step", "epoch", "iteration", "iter", "global_step")
_EVENT_MARK = f'"{EVENT}"'.encode()
_TIME_COLUMNS = {TIME, "timestamp", "time"}


Result = TypeVar("Result", covariant=True)


class Decoder(Protocol[Result]):
    """Takes complete lines, and knows all that they say so far."""

    def feed(self, data: bytes) -> None:
        """Take complete lines."""

    def result(self) -> Result:
        """A copy of all so far."""


class _Columns:
    """Points of several metrics, and events; `name` replaces the column's name where there is just one."""

    def __init__(self, stage: str, name: str | None = None) -> None:
        self._stage, self._name = stage, name
        self._columns: dict[str, tuple[array[float], array[float]]] = {}
        self._events: list[Event] = []

    def add(self, name: str, step: float, value: float) -> None:
        """Append one point; what is not finite becomes NaN."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = (array("d"), array("d"))
        column[0].append(step)
        column[1].append(value if math.isfinite(value) else math.nan)

    def result(self) -> Recording:
        """A copy of all so far."""
        name = self._name if len(self._columns) == 1 else None
        series = (
            Series(self._stage, name or column, steps[:], values[:])
            for column, (steps, values) in self._columns.items()
        )
        return Recording(tuple(series), tuple(self._events))


class LinesDecoder(_Columns):
    """series.jsonl of finetui."""

    def feed(self, data: bytes) -> None:
        """Take complete lines."""
        for point in decode_points(data):
            step = _number(point[STEP])
            if step is None:
                continue
            for name, value in point.items():
                if name not in {STEP, TIME} and (value is None or isinstance(value, int | float)):
                    self.add(name, step, math.nan if value is None else value)
        if _EVENT_MARK in data:  # seldom; else nothing is decoded twice
            self._events += [Event(self._stage, **asdict(event)) for event in decode_events(data)]


class TableDecoder(_Columns):
    """CSV or TSV with a header."""

    def __init__(
        self,
        stage: str,
        name: str | None = None,
        delimiter: str = ",",
        x: str | None = None,
        y: Sequence[str] = (),
    ) -> None:
        super().__init__(stage, name)
        self._delimiter, self._x, self._y = delimiter, x, y
        self._header: list[str] | None = None
        self._step_column: int | None = None
        self._wanted: list[tuple[int, str]] = []
        self._texts: dict[str, int] = {}
        self._num_rows = 0

    def feed(self, data: bytes) -> None:
        """Take complete lines; a row of another width than the header is skipped."""
        lines = data.decode(errors="replace").replace("\0", "").splitlines()
        for row in csv.reader(lines, delimiter=self._delimiter):
            if self._header is None:
                self._begin([name.strip().lstrip("\ufeff") for name in row])
            elif len(row) == len(self._header):
                self._add_row(row)

    def _begin(self, header: list[str]) -> None:
        self._header = header
        candidates = (self._x, *_STEP_COLUMNS)
        self._step_column = next((header.index(name) for name in candidates if name in header), None)
        chosen = [name for name in self._y if name in header] or [n for n in header if n not in _TIME_COLUMNS]
        if set(EVENT_COLUMNS) <= set(header):
            self._texts = {name: header.index(name) for name in (*EVENT_COLUMNS, TIME) if name in header}
        not_values = {self._step_column, *self._texts.values()}
        self._wanted = [(i, name) for i, name in enumerate(header) if name in chosen and i not in not_values]

    def _add_row(self, row: list[str]) -> None:
        step = float(self._num_rows) if self._step_column is None else _number(row[self._step_column])
        self._num_rows += 1
        if step is None:
            return
        if self._texts and row[self._texts[EVENT]]:
            self._add_event(step, row)
            return
        for index, name in self._wanted:
            value = _number(row[index])
            if value is not None:
                self.add(name, step, value)

    def _add_event(self, step: float, row: list[str]) -> None:
        texts = [row[self._texts[name]] for name in EVENT_COLUMNS]
        time_s = _number(row[self._texts[TIME]]) if TIME in self._texts else None
        self._events.append(Event(self._stage, int(_finite(step)), _finite(time_s), *texts))


def decode_records(document: Any, x: str | None, y: Sequence[str], stage: str) -> Recording:
    """A JSON plot: a list of records, or a mapping that has such a list."""
    records = (
        next((item for item in document.values() if isinstance(item, list)), [])
        if isinstance(document, Mapping)
        else document
    )
    columns = _Columns(stage)
    for index, record in enumerate(records if isinstance(records, list) else []):
        if isinstance(record, Mapping):
            _add_record(columns, record, index, x, y)
    return columns.result()


def _add_record(columns: _Columns, record: Mapping[str, Any], index: int, x: str | None, y: Iterable[str]) -> None:
    step_column = next((name for name in (x, *_STEP_COLUMNS) if name in record), None)
    step = float(index) if step_column is None else _number(record[step_column])
    if step is None:
        return
    for name in y or (name for name in record if name != step_column and name not in _TIME_COLUMNS):
        value = record.get(name)
        number = None if isinstance(value, bool) else _number(value)
        if number is not None:
            columns.add(str(name), step, number)


def _finite(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else 0.0


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
