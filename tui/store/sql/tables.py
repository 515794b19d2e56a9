"""Experiments as SQL tables: only those that a query names are filled, and kept until what they hold has changed."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tui.core.experiments import Experiment
from tui.core.runs import Run
from tui.store.series.table import SERIES, SeriesTable
from tui.store.sql.file_tables import FileTables, Source
from tui.store.sql.row_tables import commit_columns, experiment_columns, hash_columns, run_columns
from tui.store.sql.schema import SCHEMA
from tui.store.sql.table_writer import Columns, TableWriter
from tui.store.sql.value_tables import metric_columns, param_columns

RowKey = tuple[str, str]


class Tables:
    """The tables of one connection."""

    def __init__(self, connection: Any, source: Source) -> None:
        self._writer = TableWriter(connection)
        self._series = SeriesTable(connection)
        self._files = FileTables(source, self._writer, self._series)
        self._held: dict[str, Any] = {}
        self._known: dict[str, dict[RowKey, Experiment]] = {}
        self._told: dict[str, dict[str, str]] = {}
        for table, columns in SCHEMA.items():
            if table != SERIES:
                self._writer.create(table, [(column.name, column.type) for column in columns])

    def fill(self, names: Iterable[str], experiments: Sequence[Experiment], runs: Sequence[Run]) -> list[str]:
        """Bring the tables of these names up to date; what could not be read, with the name of its experiment."""
        problems: dict[str, str] = {}
        rows = list(experiments)
        whole: dict[str, tuple[Any, Callable[[], Columns]]] = {
            "experiments": (rows, lambda: experiment_columns(rows)),
            "params": (rows, lambda: param_columns(rows)),
            "metrics": (rows, lambda: metric_columns(rows)),
            "hashes": (rows, lambda: hash_columns(rows)),
            "commits": (rows, lambda: commit_columns(rows)),
            "runs": (list(runs), lambda: run_columns(runs)),
        }
        for name in sorted({name.lower() for name in names} & SCHEMA.keys()):
            if name in whole:
                self._replace(name, *whole[name])
            else:
                self._follow(name, rows, problems)
        return [f"{label}: {problem}" for label, problem in problems.items()]

    def _replace(self, table: str, subject: Any, make: Callable[[], Columns]) -> None:
        """Fill a table anew, unless it holds the same subject already."""
        if self._held.get(table) != subject:
            self._held.pop(table, None)
            self._writer.clear(table)
            self._writer.append(table, make())
            self._held[table] = subject

    def _follow(self, table: str, rows: Sequence[Experiment], problems: dict[str, str]) -> None:
        """Read the files of experiments that are new, may have changed or had none; forget those that are gone."""
        known = self._known.setdefault(table, {})
        now = {(row.rev, row.label): row for row in rows}
        stale = [key for key, row in known.items() if may_change(row) or now.get(key) != row]
        if table == SERIES:
            self._series.remove(stale)
        else:
            self._writer.remove(table, stale)
        for key in stale:
            del known[key]
        labels = {row.label for row in known.values()}
        told = {label: text for label, text in self._told.get(table, {}).items() if label in labels}
        wanted = [row for key, row in now.items() if key not in known]
        known.update({(row.rev, row.label): row for row in self._files.add(table, wanted, told)})
        self._told[table] = told
        problems.update(told)


def may_change(row: Experiment) -> bool:
    """Whether the files of a row can be others the next time although the row is the same."""
    return row.kind == "workspace" or row.status in {"running", "queued"}
