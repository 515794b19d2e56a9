"""Writes columns into tables of a DuckDB connection."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from tui.store.sql.arrays import Array, objects

Columns = Mapping[str, Any]
"""Name -> numpy array; all are equally long."""


class TableWriter:
    """The names of tables are ours; names of columns may come from files."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def create(self, table: str, columns: Sequence[tuple[str, str]]) -> None:
        """An empty table with columns of these names and types."""
        declared = ", ".join(f"{_identifier(name)} {kind}" for name, kind in columns)
        self._connection.execute(f"CREATE TABLE {table} ({declared})")

    def clear(self, table: str) -> None:
        """Remove all rows."""
        self._connection.execute(f"TRUNCATE {table}")

    def append(self, table: str, columns: Columns) -> None:
        """Add rows; columns that the table does not have follow at its end."""
        if not columns or not len(next(iter(columns.values()))):
            return
        for name in columns.keys() - self._columns(table):
            kind = self._with_arrays({name: columns[name]}, "DESCRIBE arrays")[0][1]
            self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {_identifier(name)} {kind}")
        insert = f"INSERT INTO {table} BY NAME FROM arrays"
        try:
            self._with_arrays(columns, insert)
        except duckdb.InvalidInputException:  # JSON can hold half a character, which no table can
            self._with_arrays({name: _whole(values) for name, values in columns.items()}, insert)

    def remove(self, table: str, keys: Sequence[tuple[str, str]]) -> None:
        """Remove the rows of experiments, given by rev and name."""
        if keys:
            gone = {"rev": objects(rev for rev, _ in keys), "name": objects(name for _, name in keys)}
            same = f"{table}.rev = gone.rev AND {table}.name = gone.name"
            self._with_arrays(gone, f"DELETE FROM {table} USING arrays AS gone WHERE {same}")  # noqa: S608 - ours

    def _columns(self, table: str) -> set[str]:
        return {row[0] for row in self._connection.execute(f"DESCRIBE {table}").fetchall()}

    def _with_arrays(self, columns: Columns, statement: str) -> list[tuple[Any, ...]]:
        self._connection.register("arrays", dict(columns))
        try:
            return list(self._connection.execute(statement).fetchall())
        finally:
            self._connection.unregister("arrays")


def _whole(values: Array) -> Array:
    """Texts without halves of characters."""
    if values.dtype != object:
        return values
    return objects(one.encode("utf-8", "replace").decode() if isinstance(one, str) else one for one in values)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
