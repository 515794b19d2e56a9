"""One SQLite file of values by key: shared by processes, thrown away without harm, and never a reason to fail."""

import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

CACHE_FOLDER = Path(".dvc/tmp/finetui/cache")
"""Where a project's cache files are, below its root."""
SCHEMA = 4
"""Raised whenever what is stored means something else; older files are emptied."""
MAX_BYTES = 2 * 1024**3
"""A file that is larger is emptied when it is opened."""
_BUSY_S = 2.0
_PAGE_BYTES = 16 * 1024  # a row of a commit has some thousand bytes
_AT_ONCE = 5_000
_CHECK_BYTES = 4
_PASSING = (sqlite3.OperationalError, sqlite3.DataError, sqlite3.InterfaceError, OverflowError, UnicodeError, TypeError)
"""Busy for too long, read-only, no space, a value that it cannot take: the file may be as good as before."""
_FORM = "surrogatepass"
Result = TypeVar("Result")


class CacheFile:
    """Tables of bytes by text; whatever goes wrong with the file is a miss, and what cannot be written is dropped."""

    def __init__(self, place: Path | None, tables: Iterable[str]) -> None:
        self._place, self._tables = place, tuple(tables)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def get(self, table: str, keys: Iterable[str]) -> dict[str, bytes]:
        """Values of those keys that are there."""
        wanted = sorted(set(keys))
        return self._try(lambda connection: dict(_found(connection, table, wanted))) or {} if wanted else {}

    def put(self, table: str, items: Iterable[tuple[str, bytes]]) -> None:
        """Store values, all or none of them."""
        self.put_all({table: items})

    def put_all(self, tables: Mapping[str, Iterable[tuple[str, bytes]]]) -> None:
        """Store values in several tables, all or none of them."""
        rows = {table: found for table, items in tables.items() if (found := list(items))}
        if rows:
            self._try(lambda connection: _store(connection, rows))

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
                    self._connection = self._open()
                return work(self._connection)
            except _PASSING:
                return None  # this time it goes without
            except sqlite3.DatabaseError:
                self.close()
                self._remove()
                return None

    def _open(self) -> sqlite3.Connection:
        """The file, or memory for as long as this process lives if there can be none."""
        if self._place is not None:
            try:
                _make_folder(self._place.parent)
                if self._place.exists() and self._place.stat().st_size > MAX_BYTES:
                    self._remove()
                return self._connect(str(self._place))
            except (OSError, sqlite3.OperationalError):
                pass
        return self._connect(":memory:")

    def _connect(self, name: str) -> sqlite3.Connection:
        connection = sqlite3.connect(name, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")  # every value has a check sum
            if not self._is_ready(connection):
                self._prepare(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _is_ready(self, connection: sqlite3.Connection) -> bool:
        if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
            return False
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return names.issuperset(self._tables)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables; one process does it, the others wait and find them."""
        with _transaction(connection):
            if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
                tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                for (name,) in tables:
                    connection.execute('DROP TABLE "{}"'.format(name.replace('"', '""')))
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
            for table in self._tables:
                connection.execute(f"CREATE TABLE IF NOT EXISTS {table} (key TEXT PRIMARY KEY, value BLOB)")

    def _remove(self) -> None:
        if self._place is not None:
            for ending in ("-wal", "-shm", ""):
                with suppress(OSError):
                    self._place.with_name(self._place.name + ending).unlink()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, with the right to write taken at the beginning."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _make_folder(folder: Path) -> None:
    """The folder, in which Git sees nothing, whatever the project ignores."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def _found(connection: sqlite3.Connection, table: str, wanted: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for start in range(0, len(wanted), _AT_ONCE):
        some = [_stored(key) for key in wanted[start : start + _AT_ONCE]]
        marks = ",".join("?" * len(some))
        good = f"key IN ({marks}) AND typeof(value) = 'blob'"  # anything else is no value of ours
        sql = f"SELECT key, value FROM {table} WHERE {good}"  # noqa: S608 - the table is a name of ours
        with closing(connection.execute(sql, some)) as rows:
            for stored, value in rows:
                key = stored.decode(errors=_FORM) if isinstance(stored, bytes) else stored
                content = value[_CHECK_BYTES:]
                if value[:_CHECK_BYTES] == _check(key, content):
                    yield key, content


def _store(connection: sqlite3.Connection, tables: Mapping[str, Iterable[tuple[str, bytes]]]) -> None:
    with _transaction(connection):
        for table, items in tables.items():
            rows = ((_stored(key), _check(key, value) + value) for key, value in items)
            connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows)  # noqa: S608 - a name of ours


def _stored(key: str) -> str | bytes:
    """A key as SQLite takes it: one with a name that is no UTF-8 as bytes."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return key.encode(errors=_FORM)
    return key


def _check(key: str, value: bytes) -> bytes:
    """Check sum: what a power cut left half written is no value."""
    return zlib.crc32(value, zlib.crc32(key.encode(errors=_FORM))).to_bytes(_CHECK_BYTES, "big")
