"""Experiments as SQL tables; only those that a query mentions are filled."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.contract.metrics import direction
from tui.core.experiments import Experiment
from tui.core.keys import MISSING, all_keys, flat
from tui.core.methods import method_of
from tui.core.runs import Run
from tui.core.series import Event, Sample, Series
from tui.core.values import format_param
from tui.store.schema import SCHEMA

Row = Sequence[Any]


class Source(Protocol):
    """What the tables need from the store besides the rows."""

    def series(self, experiment: Experiment) -> list[Series]:
        """All series of an experiment."""

    def events(self, experiment: Experiment) -> list[Event]:
        """What was seen while its stages ran."""

    def samples(self, experiment: Experiment) -> list[Sample]:
        """What its models answered as they learned."""

    def predictions_file(self, experiment: Experiment) -> Path | None:
        """File with the per-example results."""


class Tables:
    """The tables of one query."""

    def __init__(self, source: Source, experiments: Sequence[Experiment], runs: Sequence[Run] = ()) -> None:
        self._source, self._experiments, self._runs = source, experiments, runs

    def create(self, connection: Any, sql: str) -> None:
        """Create all tables in a DuckDB connection, and fill those whose names are in the query."""
        makers: dict[str, Callable[[], Iterator[Row]]] = {
            "experiments": self._experiment_rows,
            "params": self._param_rows,
            "metrics": self._metric_rows,
            "events": self._event_rows,
            "samples": self._sample_rows,
            "runs": self._run_rows,
            "commits": self._commit_rows,
        }
        for table, columns in SCHEMA.items():
            declared = ", ".join(f'"{column.name}" {column.type}' for column in columns)
            connection.execute(f"CREATE TABLE {table} ({declared})")
            if re.search(rf"\b{table}\b", sql, re.IGNORECASE) is None:
                continue
            if table in makers:
                self._insert(connection, table, makers[table]())
            elif table == "series":
                self._insert_series(connection)
            else:
                self._create_predictions(connection)

    @staticmethod
    def _insert(connection: Any, table: str, rows: Iterator[Row]) -> None:
        columns = list(zip(*rows, strict=True))
        if columns:
            arrays = {column.name: _array(values) for column, values in zip(SCHEMA[table], columns, strict=True)}
            _append(connection, table, arrays)

    def _experiment_rows(self) -> Iterator[Row]:
        for row in self._experiments:
            yield (
                row.rev, row.label, row.kind, row.baseline, ", ".join(row.refs), _utc(row.timestamp), row.subject,
                row.status, method_of(row), row.stage, row.fraction, len(row.missing), row.error, row.run_id,
            )  # fmt: skip

    def _param_rows(self) -> Iterator[Row]:
        for row, key, value in self._values("param"):
            yield row.rev, row.label, key, format_param(value), _number(value)

    def _metric_rows(self) -> Iterator[Row]:
        for row, key, value in self._values("metric"):
            text = None if _number(value) is not None else format_param(value)
            yield row.rev, row.label, key, _number(value), text, direction(key)

    def _values(self, side: Any) -> Iterator[tuple[Experiment, str, Any]]:
        texts = {(key.path, key.name): key.text for key in all_keys(self._experiments, side)}
        for row in self._experiments:
            for path, document in (row.params if side == "param" else row.metrics).items():
                for name, value in flat(document).items():
                    if value is not MISSING:
                        yield row, texts.get((path, name)) or texts[(None, name)], value

    def _run_rows(self) -> Iterator[Row]:
        for run in self._runs:
            yield (
                run.id, run.name, run.status, run.baseline, run.snapshot, run.rev, _utc(run.started_at),
                _utc(run.ended_at), run.error, run.command,
            )  # fmt: skip

    def _commit_rows(self) -> Iterator[Row]:
        for row in self._experiments:
            if row.kind == "commit":
                yield row.rev, ", ".join(row.refs), _utc(row.timestamp), row.subject

    def _event_rows(self) -> Iterator[Row]:
        for row in self._experiments:
            for one in self._source.events(row):
                yield row.rev, row.label, one.stage, one.step, one.time_s, one.event, one.action, one.message

    def _sample_rows(self) -> Iterator[Row]:
        for row in self._experiments:
            for one in self._source.samples(row):
                yield row.rev, row.label, one.stage, one.step, one.prompt, one.reference, one.prediction

    def _insert_series(self, connection: Any) -> None:
        blocks = [_series_arrays(row, found) for row in self._experiments if (found := self._source.series(row))]
        if blocks:
            names = blocks[0].keys()
            _append(connection, "series", {name: np.concatenate([block[name] for block in blocks]) for name in names})

    def _create_predictions(self, connection: Any) -> None:
        parts, values = ["SELECT * FROM predictions"], []
        for row in self._experiments:
            place = self._source.predictions_file(row)
            if place is not None:
                parts.append("SELECT ? AS rev, ? AS name, * FROM read_parquet(?)")
                values += [row.rev, row.label, str(place)]
        if values:
            connection.execute(f"CREATE TABLE filled AS {' UNION ALL BY NAME '.join(parts)}", values)
            connection.execute("DROP TABLE predictions")
            connection.execute("ALTER TABLE filled RENAME TO predictions")


def _series_arrays(row: Experiment, found: Sequence[Series]) -> dict[str, Any]:
    lengths = [len(series.steps) for series in found]
    return {
        "rev": np.repeat(np.array([row.rev], dtype=object), sum(lengths)),
        "name": np.repeat(np.array([row.label], dtype=object), sum(lengths)),
        "stage": np.repeat(np.array([series.stage for series in found], dtype=object), lengths),
        "metric": np.repeat(np.array([series.name for series in found], dtype=object), lengths),
        "step": np.concatenate([np.asarray(series.steps) for series in found]),
        "value": np.concatenate([np.asarray(series.values) for series in found]),
    }


def _append(connection: Any, table: str, arrays: dict[str, Any]) -> None:
    connection.register("arrays", arrays)
    connection.execute(f"INSERT INTO {table} SELECT * FROM arrays")  # noqa: S608 - a name of ours
    connection.unregister("arrays")


def _array(values: Sequence[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
