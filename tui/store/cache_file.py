"""One SQLite file of values by key: shared by processes, thrown away without harm, and never a reason to fail."""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

SCHEMA = 1
"""Raised whenever what is stored means something else; older files are emptied."""
MAX_BYTES = 2 * 1024**3
"""A file that is larger is emptied when it is opened."""
_BUSY_S = 2.0
_MANY = 400
Result = TypeVar("Result")


class CacheFile:
    """Tables of bytes by text; whatever goes wrong with the file is a miss, and what cannot be written is dropped."""

    def __init__(self, place: Path | None, tables: Iterable[str]) -> None:
        self._place, self._tables = place, tuple(tables)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def get(self, table: str, keys: Iterable[str]) -> dict[str, bytes]:
        """Values of those keys that are there."""
        wanted = list(dict.fromkeys(keys))
        return self._try(lambda connection: _found(connection, table, wanted)) or {} if wanted else {}

    def put(self, table: str, items: Iterable[tuple[str, bytes]]) -> None:
        """Store values, all or none of them."""
        rows = list(items)
        if rows:
            self._try(lambda connection: _store(connection, table, rows))

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _try(self, work: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """What the work gives, or None; a file that is broken is made anew for the next time."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._open(self._place)
                return work(self._connection)
            except sqlite3.OperationalError:
                return None  # busy for too long, read-only, no space: this time it goes without
            except sqlite3.DatabaseError:
                self.close()
                self._remove()
                return None

    def _open(self, place: Path | None) -> sqlite3.Connection:
        if place is not None:
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                if place.exists() and place.stat().st_size > MAX_BYTES:
                    self._remove()
            except OSError:
                place = None
        connection = sqlite3.connect(place or ":memory:", timeout=_BUSY_S, check_same_thread=False)
        try:
            self._prepare(connection)
        except sqlite3.OperationalError:
            connection.close()
            if place is None:
                raise
            return self._open(None)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # a torn file after a power cut is made anew
        if connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA:
            return
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                connection.execute(f'DROP TABLE "{name}"')
            for table in self._tables:
                connection.execute(f"CREATE TABLE {table} (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute("COMMIT")

    def _remove(self) -> None:
        if self._place is not None:
            for ending in ("", "-wal", "-shm"):
                with suppress(OSError):
                    self._place.with_name(self._place.name + ending).unlink()


def _found(connection: sqlite3.Connection, table: str, wanted: Sequence[str]) -> dict[str, bytes]:
    if len(wanted) <= _MANY:
        marks = ",".join("?" * len(wanted))
        # the table is a name of ours
        return dict(connection.execute(f"SELECT key, value FROM {table} WHERE key IN ({marks})", wanted))  # noqa: S608
    asked = frozenset(wanted)
    rows = connection.execute(f"SELECT key, value FROM {table}")  # noqa: S608 - a name of ours
    return {key: value for key, value in rows if key in asked}


def _store(connection: sqlite3.Connection, table: str, rows: Sequence[tuple[str, bytes]]) -> None:
    with connection:
        connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows)  # noqa: S608 - a name of ours
