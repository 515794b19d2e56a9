"""Runs one read-only SQL statement over the tables, in memory, with limits."""

import re
import threading
import time
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import duckdb

from tui.core.errors import UsageError, UserError
from tui.core.ports import QueryResult
from tui.store.tables import Tables

_CONFIG: dict[str, Any] = {
    "memory_limit": "2GB",
    "threads": 2,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "python_enable_replacements": False,
    "max_temp_directory_size": "0B",
}
_READING = {"SELECT", "EXPLAIN"}
_HINT = "docs/sql.md lists the tables and columns; SHOW TABLES and DESCRIBE metrics do so too"


def run_query(
    sql: str, tables: Tables, limit: int = 10_000, timeout_s: float = 30.0, parameters: Mapping[str, Any] | None = None
) -> QueryResult:
    """Rows of a query; UsageError for SQL that is wrong or that would write, UserError when it takes too long."""
    end = time.monotonic() + timeout_s
    with duckdb.connect(":memory:", config=_CONFIG) as connection:
        _check(connection, sql)
        try:
            tables.create(connection, sql)
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
        except duckdb.Error as error:
            raise UserError("the tables for the query cannot be made", _message(error), _HINT) from error
        timer = threading.Timer(max(0.0, end - time.monotonic()), connection.interrupt)
        timer.start()
        try:
            return _fetch(connection, sql, limit, dict(parameters or {}))
        except duckdb.InterruptException as error:
            raise UserError(
                f"the query took longer than {timeout_s:g} s", hint="narrow it, or allow more time"
            ) from error
        except (duckdb.Error, ImportError) as error:
            raise UsageError("the query failed", _message(error), _HINT) from error
        finally:
            timer.cancel()
            timer.join()


def saved_query(name: str) -> str:
    """SQL of one of the application's own queries; UsageError names them all if there is no such one."""
    folder = files("tui.store") / "sql"
    known = sorted(item.name.removesuffix(".sql") for item in folder.iterdir() if item.name.endswith(".sql"))
    if name not in known:
        raise UsageError(f"no saved query '{name}'", f"there are {', '.join(known)}")
    return (folder / f"{name}.sql").read_text(encoding="utf-8")


def _check(connection: Any, sql: str) -> None:
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise UsageError("the query does not parse", _message(error), _HINT) from error
    if len(statements) != 1:
        raise UsageError("a query must be exactly one statement", f"this has {len(statements)}", _HINT)
    kind = str(statements[0].type).rpartition(".")[2]
    if kind not in _READING:
        raise UsageError(f"a query can only read, and this is {kind}", hint=_HINT)


def _fetch(connection: Any, sql: str, limit: int, parameters: dict[str, Any]) -> QueryResult:
    cursor = connection.execute(sql, parameters or None)
    columns = tuple(column[0] for column in cursor.description or ())
    rows = cursor.fetchmany(limit + 1)
    return QueryResult(columns, tuple(map(tuple, rows[:limit])), len(rows) > limit)


def _message(error: Exception) -> str:
    """The first line of what DuckDB says, without the name of its class."""
    return re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", str(error).strip().partition("\n")[0])
