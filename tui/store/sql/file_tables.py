"""Tables whose rows are in files of each experiment: series and their summaries, events, samples, predictions."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

import duckdb

from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.series import Event, Sample, Series, SeriesSummary, UnreadFile, why_no_curves
from tui.store.series.table import SERIES, SeriesTable
from tui.store.sql.arrays import Array, transposed
from tui.store.sql.prediction_table import alike, read_files
from tui.store.sql.schema import SCHEMA
from tui.store.sql.table_writer import TableWriter
from tui.store.sql.wrongs import query_error

Problems = dict[str, str]
Found = list[tuple[Experiment, Sequence[Any]]]
_FIELDS = {
    "series_summary": attrgetter(*SeriesSummary.__slots__),
    "events": attrgetter(*Event.__slots__),
    "samples": attrgetter(*Sample.__slots__),
}
"""The columns of these tables after rev and name are the fields of a value, in order."""
_OF_CURVES = {SERIES, "series_summary"}
_FILES_AT_ONCE = 64


class Source(Protocol):
    """What the tables need from the store besides the rows."""

    def series(self, experiment: Experiment) -> list[Series]:
        """All series of an experiment."""

    def summaries(self, experiments: Sequence[Experiment]) -> list[tuple[SeriesSummary, ...]]:
        """What the series of each experiment come to."""

    def unread(self, experiments: Sequence[Experiment]) -> list[tuple[UnreadFile, ...]]:
        """Of each experiment the files whose series cannot be shown."""

    def events(self, experiment: Experiment) -> list[Event]:
        """What was seen while its stages ran."""

    def samples(self, experiment: Experiment) -> list[Sample]:
        """What its models answered as they learned."""

    def predictions_file(self, experiment: Experiment) -> Path | None:
        """File with the per-example results."""


class FileTables:
    """Fills them; an experiment whose file is broken is left out and told."""

    def __init__(self, source: Source, writer: TableWriter, series: SeriesTable) -> None:
        self._source, self._writer, self._series = source, writer, series

    def add(self, table: str, rows: Sequence[Experiment], problems: Problems) -> list[Experiment]:
        """Append what the files of these experiments hold; those of them that have any."""
        if table == "predictions":
            return self._add_predictions(rows, problems)
        found = self._find(table, rows, problems)
        if table in _OF_CURVES:
            self._tell_unread([row for row, _ in found], problems)
        if table == SERIES:
            self._series.add(found)
        else:
            self._writer.append(table, _record_columns(table, found))
        return [row for row, items in found if items]

    def _tell_unread(self, rows: Sequence[Experiment], problems: Problems) -> None:
        """Files that are here and were left out; what is not here is told nowhere in SQL."""
        for row, files in zip(rows, self._source.unread(rows), strict=True):
            why = why_no_curves(file for file in files if not file.is_missing)
            if why:
                problems[row.label] = why

    def _find(self, table: str, rows: Sequence[Experiment], problems: Problems) -> Found:
        source = self._source
        if table == "series_summary":
            try:
                return list(zip(rows, source.summaries(rows), strict=True))
            except UserError:  # find out whose it is
                return list(_each(rows, lambda row: source.summaries([row])[0], problems))
        read: dict[str, Callable[[Experiment], Sequence[Any]]] = {
            "series": source.series,
            "events": source.events,
            "samples": source.samples,
        }
        return list(_each(rows, read[table], problems))

    def _add_predictions(self, rows: Sequence[Experiment], problems: Problems) -> list[Experiment]:
        found = [(row, place) for row, place in _each(rows, self._source.predictions_file, problems) if place]
        added: list[Experiment] = []
        for start in range(0, len(found), _FILES_AT_ONCE):
            added += self._add_files(found[start : start + _FILES_AT_ONCE], problems)
        return added

    def _add_files(self, found: Sequence[tuple[Experiment, Path]], problems: Problems) -> list[Experiment]:
        """Files of the same columns at once; one by one only to find out which of them is broken."""
        try:
            groups = alike([place for _, place in found])
            if len(groups) == 1:
                columns = read_files([(row.rev, row.label, place) for row, place in found])
                self._writer.append_foreign("predictions", columns)
                return [row for row, _ in found]
        except (duckdb.Error, UserError) as error:
            if len(found) == 1:
                row, place = found[0]
                problems[row.label] = f"{place.name} cannot be read: {_reason(error)}"
                return []
            groups = [[one] for one in range(len(found))]
        return [row for group in groups for row in self._add_files([found[one] for one in group], problems)]


def _reason(error: duckdb.Error | UserError) -> str:
    if isinstance(error, duckdb.OutOfMemoryException):
        raise error  # says nothing of the file
    found = query_error(error, "") if isinstance(error, duckdb.Error) else error
    return found.detail or found.title


def _each(
    rows: Sequence[Experiment], read: Callable[[Experiment], Any], problems: Problems
) -> Iterable[tuple[Experiment, Any]]:
    for row in rows:
        try:
            yield row, read(row)
        except UserError as error:
            problems[row.label] = str(error)


def _record_columns(table: str, found: Found) -> dict[str, Array]:
    names, fields = [column.name for column in SCHEMA[table]], _FIELDS[table]
    return transposed(names, [(row.rev, row.label, *fields(one)) for row, items in found for one in items])
