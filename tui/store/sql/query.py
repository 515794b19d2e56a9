"""Runs one read-only SQL statement over the tables, in memory and without access to anything else."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from tui.core.experiments import Experiment
from tui.core.ports import QueryResult
from tui.core.runs import Run
from tui.store.sql.file_tables import Source
from tui.store.sql.rows import fetch
from tui.store.sql.tables import Tables
from tui.store.sql.text import check, named_tables
from tui.store.sql.wrongs import query_error

_CONFIG: dict[str, Any] = {
    "memory_limit": "2GB",
    "threads": 2,
    "temp_directory": "",  # any other is a folder that queries may read and write
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "python_enable_replacements": False,
}
_LOCK = (
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL errors_as_json = true",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class QueryEngine:
    """A database in memory that holds the tables of earlier queries as long as they are up to date.

    How much time and memory a query takes is up to the process that this is in: DuckDB stops at neither in the middle
    of a function, such as `repeat('x', 3000000000)`.
    """

    def __init__(self, source: Source) -> None:
        self._database = duckdb.connect(":memory:", config=_CONFIG)
        self._tables = Tables(self._database, source)
        for statement in _LOCK:
            self._database.execute(statement)

    def run(
        self,
        sql: str,
        experiments: Sequence[Experiment],
        runs: Sequence[Run] = (),
        limit: int = 10_000,
        parameters: Mapping[str, str] | None = None,
    ) -> QueryResult:
        """Rows of a query; QueryError for SQL that is wrong or that would write."""
        sql = sql.encode("utf-8", "replace").decode()
        with self._database.cursor() as connection:
            try:
                statement = check(connection, sql, parameters or {})
                notes = self._tables.fill(named_tables(connection, sql), experiments, runs)
                # DuckDB refuses every write here, also one in a WITH clause; the cursor drops what PIVOT makes.
                connection.execute("BEGIN TRANSACTION READ ONLY")
                return fetch(connection.execute(statement, dict(parameters or {}) or None), limit, tuple(notes))
            except (duckdb.Error, MemoryError) as error:
                raise query_error(error, sql) from error
