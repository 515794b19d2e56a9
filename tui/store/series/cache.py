"""Series that were decoded once: which ones a commit has, what they come to, and their points, in SQLite files.

Content never changes under its Git or MD5 hash, so nothing here is ever wrong; what is not here is decoded again.
Points and the rest are two files, as points may outgrow the limit at which a file is emptied.
"""

import sys
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson

from tui.core.series import Event, Recording, Series, SeriesSummary, UnreadFile
from tui.store.cache_file import CacheFile
from tui.store.series.summaries import summarize

FORMAT = "3"
"""Raised whenever files are decoded or stored in another way."""
_AT_ONCE = 300
_FIELDS = [field.name for field in fields(SeriesSummary)]
_NUM_FIELDS = len(_FIELDS)
_values = attrgetter(*_FIELDS)
_MAX_INDEXES = 50_000
_MAX_ENTRIES = 100_000
_BUFFER_BYTES = 32 * 2**20
_KNOWN_BYTES = 128 * 2**20
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a commit has."""

    keys: tuple[str, ...]
    """Keys of its sources, in the order of the pipeline."""
    awaited: tuple[str, ...] = ()
    """Places in the DVC cache where content is missing."""
    unread: tuple[UnreadFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """What a source holds, without its points."""

    summaries: tuple[SeriesSummary, ...]
    shapes: tuple[tuple[int, Any], ...]
    """Of each series how many points it has, and its steps: a start and a stride, or the number of an array."""
    num_events: int

    def place(self, stage: str, name: str) -> int | None:
        """Where a series is."""
        found = (place for place, one in enumerate(self.summaries) if one.name == name and one.stage == stage)
        return next(found, None)


class SeriesCache:
    """Entries by commit, indexes and points by source; None as a folder keeps all in memory."""

    def __init__(self, folder: Path | None) -> None:
        self._file = CacheFile(folder and folder / "series.sqlite", ("entries", "summaries"))
        self._points = CacheFile(folder and folder / "curves.sqlite", ("curves",))
        self._entries: dict[str, Entry] = {}
        self._indexes: dict[str, Index] = {}
        self._known: OrderedDict[str, Recording] = OrderedDict()
        self._known_bytes = 0
        self._waiting: dict[str, list[tuple[str, bytes]]] = {"entries": [], "summaries": [], "curves": []}
        self._waiting_bytes = 0

    def entries(self, keys: Sequence[str]) -> dict[str, Entry]:
        """Entries that are there."""
        return self._look_up(self._entries, keys, "entries", _decode_entry, _MAX_ENTRIES)

    def indexes(self, keys: Iterable[str]) -> dict[str, Index]:
        """Indexes that are there."""
        return self._look_up(self._indexes, keys, "summaries", _decode_index, _MAX_INDEXES)

    def _look_up(
        self, known: dict[str, Value], keys: Iterable[str], table: str, decode: Callable[[bytes], Value], limit: int
    ) -> dict[str, Value]:
        wanted = list(dict.fromkeys(keys))
        missing = [key for key in wanted if key not in known]
        if len(known) + len(missing) > limit:
            known.clear()
            missing = wanted
        for key, data in self._file.get(table, missing).items():
            known[key] = decode(data)
        return {key: known[key] for key in wanted if key in known}

    def learn_entry(self, key: str, entry: Entry, *, is_final: bool) -> None:
        """Keep an entry; one that may still change is not kept."""
        if is_final:
            self._entries[key] = entry
            self._wait(
                "entries", [(key, orjson.dumps([entry.keys, entry.awaited, [astuple(file) for file in entry.unread]]))]
            )

    def learn(self, key: str, recording: Recording) -> None:
        """Keep what was decoded."""
        series = [one for one in recording.series if len(one.steps)]
        blocks, shapes = _encode(key, series)
        if recording.events:
            blocks.append((f"{key}:events", orjson.dumps([astuple(event) for event in recording.events])))
        index = self._indexes[key] = Index(tuple(map(summarize, series)), tuple(shapes), len(recording.events))
        self._remember(key, Recording(tuple(series), recording.events))
        self._wait("curves", blocks)
        self._wait("summaries", [(key, _encode_index(index))])

    def recording(self, key: str) -> Recording | None:
        """All of a source; None if it has to be decoded again."""
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        index = self.indexes([key]).get(key)
        if index is None:
            return None
        series = self.curves([(key, place) for place in range(len(index.shapes))])
        events = self._events(key) if index.num_events else ()
        if events is None or any(one is None for one in series):
            return None
        found = Recording(tuple(one for one in series if one is not None), events)
        self._remember(key, found)
        return found

    def curves(self, wanted: Sequence[tuple[str, int]]) -> list[Series | None]:
        """Series by source and place; None for one that has to be decoded again."""
        self.flush()
        indexes = self.indexes(key for key, _ in wanted)
        found: list[Series | None] = []
        for start in range(0, len(wanted), _AT_ONCE):
            part = [(key, place) for key, place in wanted[start : start + _AT_ONCE]]
            blocks = self._points.get("curves", chain.from_iterable(_block_names(indexes, *one) for one in part))
            found += [_decode(indexes.get(key), key, place, blocks) for key, place in part]
        return found

    def _events(self, key: str) -> tuple[Event, ...] | None:
        self.flush()
        data = self._points.get("curves", [f"{key}:events"]).get(f"{key}:events")
        return None if data is None else tuple(Event(*values) for values in orjson.loads(data))

    def _remember(self, key: str, recording: Recording) -> None:
        if key not in self._known:
            self._known_bytes += _size(recording)
        self._known[key] = recording
        while self._known_bytes > _KNOWN_BYTES and len(self._known) > 1:
            self._known_bytes -= _size(self._known.popitem(last=False)[1])

    def _wait(self, table: str, rows: list[tuple[str, bytes]]) -> None:
        self._waiting[table] += rows
        self._waiting_bytes += sum(len(data) for _, data in rows)
        if self._waiting_bytes > _BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits; points first, so that no index is without them, and no entry is without its indexes."""
        if self._waiting_bytes:
            self._points.put("curves", self._waiting["curves"])
            self._file.put_all({table: self._waiting[table] for table in ("summaries", "entries")})
            self._waiting = {table: [] for table in self._waiting}
            self._waiting_bytes = 0


def _size(recording: Recording) -> int:
    return 500 + sum(16 * len(one.steps) for one in recording.series)


def _encode(key: str, series: Sequence[Series]) -> tuple[list[tuple[str, bytes]], list[tuple[int, Any]]]:
    """Arrays to store by name, and the shape of each series; steps that are alike are stored once."""
    blocks: list[tuple[str, bytes]] = []
    shapes: list[tuple[int, Any]] = []
    numbers: dict[bytes, int] = {}
    for place, one in enumerate(series):
        blocks.append((f"{key}:{place}", _to_bytes(one.values)))
        steps: Any = _regular(one.steps)
        if steps is None:
            data = _to_bytes(one.steps)
            if data not in numbers:
                numbers[data] = len(numbers)
                blocks.append((f"{key}:steps{numbers[data]}", data))
            steps = numbers[data]
        shapes.append((len(one.steps), steps))
    return blocks, shapes


def _regular(steps: "array[float]") -> list[float] | None:
    """Start and stride of steps that are exactly as far apart; None for others."""
    stride = steps[1] - steps[0] if len(steps) > 1 else 0.0
    return [steps[0], stride] if _spaced(len(steps), steps[0], stride).tobytes() == steps.tobytes() else None


def _spaced(length: int, start: float, stride: float) -> Any:
    with np.errstate(over="ignore", invalid="ignore"):  # then they are not equal
        return start + stride * np.arange(length, dtype=np.float64)


def _block_names(indexes: dict[str, Index], key: str, place: int) -> list[str]:
    index = indexes.get(key)
    steps = index.shapes[place][1] if index is not None else None
    return [f"{key}:{place}", f"{key}:steps{steps}"] if isinstance(steps, int) else [f"{key}:{place}"]


def _decode(index: Index | None, key: str, place: int, blocks: dict[str, bytes]) -> Series | None:
    values = blocks.get(f"{key}:{place}")
    if index is None or values is None:
        return None
    length, steps = index.shapes[place]
    found = blocks.get(f"{key}:steps{steps}") if isinstance(steps, int) else _to_bytes(_spaced(length, *steps))
    if found is None or not len(found) == len(values) == 8 * length:
        return None
    summary = index.summaries[place]
    return Series(summary.stage, summary.name, _from_bytes(found), _from_bytes(values))


def _to_bytes(values: Any) -> bytes:
    return np.frombuffer(values).astype("<f8", copy=False).tobytes()


def _from_bytes(data: bytes) -> "array[float]":
    values = array("d")
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _decode_entry(data: bytes) -> Entry:
    keys, awaited, unread = orjson.loads(data)
    return Entry(tuple(keys), tuple(awaited), tuple(UnreadFile(*file) for file in unread))


def _encode_index(index: Index) -> bytes:
    rows = [(*_values(one), *shape) for one, shape in zip(index.summaries, index.shapes, strict=True)]
    return orjson.dumps([rows, index.num_events])


def _decode_index(data: bytes) -> Index:
    rows, num_events = orjson.loads(data)
    return Index(
        tuple(SeriesSummary(*row[:_NUM_FIELDS]) for row in rows),
        tuple((row[_NUM_FIELDS], row[_NUM_FIELDS + 1]) for row in rows),
        num_events,
    )
