"""Rows of commits, kept on disk: what a commit says is worked out once and then read in one go."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

import orjson

from tui.core.experiments import Status
from tui.core.garbage import no_collection
from tui.store.cache_file import CacheFile

TABLE = "rows"
_LIMIT_MIN = 24 * 60
_EXACT, _TAGGED = b"=", b"~"


@dataclass(slots=True)
class CommitRow:
    """What a commit says, whatever points at it."""

    timestamp: datetime
    subject: str
    status: Status
    run_id: str | None
    parent: str | None
    """SHA of its first parent."""
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    deps: Mapping[str, str | None] = field(default_factory=dict)
    outs: Mapping[str, str | None] = field(default_factory=dict)
    data_sources: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()
    """md5s of missing files: the row is read anew when one of them has come into the DVC cache."""
    error: str | None = None
    is_pending: bool = False
    """Whether DVC is still being asked where its values are."""


class RowCache:
    """Rows by SHA in a file that several processes may share.

    A row depends on the commit, on where the project is in it, and on how DVC and we find values in it. DVC's settings
    outside the commit do not count: where its cache is decides only what is missing, which is awaited and looked for
    anew by every process.
    """

    def __init__(self, file: CacheFile, prefix: str, version: str) -> None:
        """The prefix is the path of the project in its repository, the version that of what finds values."""
        self._file, self._suffix = file, f":{version}:{prefix}"

    def load(self, revs: Iterable[str]) -> dict[str, CommitRow]:
        """Rows that are there, by SHA."""
        stored = self._file.get(TABLE, (rev + self._suffix for rev in revs))
        end = -len(self._suffix)
        rows = {}
        with no_collection():
            for key, data in stored.items():
                try:
                    rows[key[:end]] = decode_row(data)
                except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
                    continue  # by a version that wrote something else: it is read from Git again
        return rows

    def store(self, rows: Mapping[str, CommitRow]) -> None:
        """Keep rows."""
        self._file.put(TABLE, ((rev + self._suffix, encode_row(row)) for rev, row in rows.items()))


def encode_row(row: CommitRow) -> bytes:
    """A row as bytes; JSON cannot say everything that YAML can, so what it would change is written another way."""
    offset = row.timestamp.utcoffset() or timedelta()
    value = [
        int(row.timestamp.timestamp()), int(offset.total_seconds() // 60), row.subject, row.status, row.run_id,
        row.parent, row.params, row.metrics, row.deps, row.outs, list(row.data_sources), list(row.missing),
        list(row.awaited), row.error,
    ]  # fmt: skip
    try:
        data = orjson.dumps(value)
        if orjson.loads(data) == value:
            return _EXACT + data
    except (TypeError, ValueError, RecursionError):
        pass  # keys that are no text, large numbers, broken text
    return _TAGGED + json.dumps(_tagged(value)).encode()


def decode_row(data: bytes) -> CommitRow:
    """The row that was encoded; ValueError or TypeError if it is none."""
    value = orjson.loads(data[1:]) if data[:1] == _EXACT else _plain(json.loads(data[1:]))
    stamp, offset, subject, status, run_id, parent, params, metrics, deps, outs, *lists, error = value
    data_sources, missing, awaited = map(tuple, lists)
    return CommitRow(
        make_time(stamp, offset), subject, status, run_id, parent, params, metrics, deps, outs, data_sources, missing,
        awaited, error,
    )  # fmt: skip


def make_time(stamp: int, offset_min: int) -> datetime:
    """A commit's time in its own zone; the epoch if it says nonsense."""
    try:
        return datetime.fromtimestamp(stamp, _zone(offset_min))
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


@cache
def _zone(offset_min: int) -> timezone:
    """One value per zone: times in the same one are compared twice as fast."""
    return timezone(timedelta(minutes=offset_min)) if abs(offset_min) < _LIMIT_MIN else UTC


def _tagged(value: Any) -> Any:
    """The value with lists of pairs for mappings, marked so that they cannot be taken for lists."""
    if isinstance(value, Mapping):
        return {"pairs": [[_tagged(key), _tagged(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_tagged(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value["pairs"]}
    return [_plain(item) for item in value] if isinstance(value, list) else value
