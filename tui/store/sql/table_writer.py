"""Writes columns into tables of a DuckDB connection."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from tui.store.sql.arrays import Array, objects
from tui.store.sql.foreign_columns import check_declared, common, is_empty, kept_as, renamed

Columns = Mapping[str, Any]
"""Name -> numpy array; all are equally long."""


class TableWriter:
    """The names of tables are ours; names of columns may come from files."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._declared: dict[str, set[str]] = {}

    def create(self, table: str, columns: Sequence[tuple[str, str]]) -> None:
        """An empty table with columns of these names and types."""
        self._declared[table] = {name for name, _ in columns}
        declared = ", ".join(f"{_identifier(name)} {kind}" for name, kind in columns)
        self._connection.execute(f"CREATE TABLE {table} ({declared})")

    def clear(self, table: str) -> None:
        """Remove all rows."""
        self._connection.execute(f"TRUNCATE {table}")

    def append(self, table: str, columns: Columns) -> None:
        """Add rows whose columns are the table's own."""
        if not columns or not len(next(iter(columns.values()))):
            return
        insert = f"INSERT INTO {table} BY NAME FROM arrays"
        try:
            self._with_arrays(columns, insert)
        except duckdb.InvalidInputException:  # JSON can hold half a character, which no table can
            self._with_arrays({name: _whole(values) for name, values in columns.items()}, insert)

    def append_foreign(self, table: str, columns: Columns) -> None:
        """Add rows of a file; columns that the table does not have follow at its end; UserError if one cannot fit."""
        known = self._columns(table)
        columns = renamed(columns, known)
        kinds = {row[0]: row[1] for row in self._with_arrays(columns, "DESCRIBE arrays")}
        changes = [self._change(table, name, columns[name], kinds[name], known) for name in columns]
        for change in filter(None, changes):
            self._connection.execute(f"ALTER TABLE {table} {change}")
        self.append(table, columns)

    def _change(self, table: str, name: str, values: Array, kind: str, known: Mapping[str, str]) -> str:
        """What the table needs before it can take a column; nothing for most."""
        column, held = _identifier(name), known.get(name)
        if held is None:
            return f"ADD COLUMN {column} {kept_as(kind)}"
        if name in self._declared[table]:
            check_declared(name, values, kind, held)
            return ""
        if is_empty(values):
            return ""
        if kept_as(kind) == held:
            return ""
        if self._is_empty(table, column):  # what rows that are gone have left could not be cast
            return f"ALTER COLUMN {column} TYPE {kept_as(kind)} USING NULL"
        wanted = common(name, kind, held)
        return f"ALTER COLUMN {column} TYPE {wanted}" if wanted != held else ""

    def _is_empty(self, table: str, column: str) -> bool:
        counted = f"SELECT count({column}) FROM {table}"  # noqa: S608 - quoted
        return bool(self._connection.execute(counted).fetchall()[0][0] == 0)

    def remove(self, table: str, keys: Sequence[tuple[str, str]]) -> None:
        """Remove the rows of experiments, given by rev and name."""
        if keys:
            gone = {"rev": objects(rev for rev, _ in keys), "name": objects(name for _, name in keys)}
            same = f"{table}.rev = gone.rev AND {table}.name = gone.name"
            self._with_arrays(gone, f"DELETE FROM {table} USING arrays AS gone WHERE {same}")  # noqa: S608 - ours

    def _columns(self, table: str) -> dict[str, str]:
        return {row[0]: row[1] for row in self._connection.execute(f"DESCRIBE {table}").fetchall()}

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
