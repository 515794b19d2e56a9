"""Series of many experiments at once: what they come to, and one metric of each, thinned to be drawn."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tui.core.experiments import Experiment
from tui.core.series import Recording, Series, SeriesSummary, UnreadFile
from tui.store.series.cache import Entry, Index, SeriesCache
from tui.store.series.reader import SeriesReader
from tui.store.series.summaries import summarize_all
from tui.store.series.thinning import thin

_MAX_THINNED = 600
_FLUSH_EVERY = 64
Place = tuple[str, int]
"""Source, and which of its series."""


class CurveReader:
    """Answers from what was decoded before; the lock of the store is held for one experiment at a time only."""

    def __init__(
        self,
        reader: SeriesReader,
        known: SeriesCache,
        lock: AbstractContextManager[Any],
        clone: Callable[[Experiment], Path | None],
    ) -> None:
        self._reader, self._known, self._lock, self._clone = reader, known, lock, clone
        self._thinned: OrderedDict[tuple[Place, int], Series] = OrderedDict()

    def summaries(self, experiments: Sequence[Experiment]) -> list[tuple[SeriesSummary, ...]]:
        """First, last, lowest and highest value of every series of each experiment."""
        entries = list(self._entries(experiments))
        with self._lock:
            indexes = self._known.indexes(key for entry in entries if entry is not None for key in entry.keys)
        return [
            summarize_all(self._live(experiment).series) if entry is None else _summaries(entry, indexes)
            for experiment, entry in zip(experiments, entries, strict=True)
        ]

    def unread(self, experiments: Sequence[Experiment]) -> list[tuple[UnreadFile, ...]]:
        """Of each experiment the files whose series cannot be shown."""
        entries = list(self._entries(experiments))
        return [
            self._live(experiment).unread if entry is None else entry.unread
            for experiment, entry in zip(experiments, entries, strict=True)
        ]

    def curves(self, experiments: Sequence[Experiment], stage: str, name: str, num_buckets: int) -> list[Series | None]:
        """One metric of each experiment, thinned; None for an experiment without it."""
        entries = list(self._entries(experiments))
        with self._lock:
            indexes = self._known.indexes(key for entry in entries if entry is not None for key in entry.keys)
            places = [None if entry is None else _place(entry, indexes, stage, name) for entry in entries]
            self._thin_new([place for place in places if place is not None], num_buckets)
        found: list[Series | None] = []
        for experiment, entry, place in zip(experiments, entries, places, strict=True):
            if entry is not None and place is None:
                found.append(None)
            elif place is not None and (known := self._thinned.get((place, num_buckets))) is not None:
                found.append(known)
            else:
                found.append(self._read(experiment, stage, name, num_buckets))
        self._forget()
        return found

    def _entries(self, experiments: Sequence[Experiment]) -> Iterator[Entry | None]:
        """Entries of commits; None for what is read from a folder."""
        with self._lock:
            known = self._reader.entries(experiments)
            self._known.indexes(key for entry in known.values() for key in entry.keys)  # in one go
        for number, experiment in enumerate(experiments):
            if self._is_live(experiment):
                yield None
                continue
            with self._lock:
                entry = self._reader.entry(experiment, known.get(self._reader.entry_key(experiment)))
                if number % _FLUSH_EVERY == 0:
                    self._known.flush()
            yield entry
        with self._lock:
            self._known.flush()

    def _is_live(self, experiment: Experiment) -> bool:
        clone = self._clone(experiment)
        return experiment.kind == "workspace" or (clone is not None and clone.is_dir())

    def _live(self, experiment: Experiment) -> Recording:
        with self._lock:
            return self._reader.read(experiment, self._clone(experiment))

    def _thin_new(self, places: Sequence[Place], num_buckets: int) -> None:
        new = [place for place in dict.fromkeys(places) if (place, num_buckets) not in self._thinned]
        for place, series in zip(new, self._known.curves(new), strict=True):
            if series is not None:
                self._thinned[place, num_buckets] = thin(series, num_buckets)

    def _read(self, experiment: Experiment, stage: str, name: str, num_buckets: int) -> Series | None:
        """From a folder, or from a commit whose points have been thrown away."""
        series = next((one for one in self._live(experiment).series if one.stage == stage and one.name == name), None)
        return None if series is None or not len(series.steps) else thin(series, num_buckets)

    def _forget(self) -> None:
        with self._lock:
            while len(self._thinned) > _MAX_THINNED:
                self._thinned.popitem(last=False)


def _summaries(entry: Entry, indexes: dict[str, Index]) -> tuple[SeriesSummary, ...]:
    return tuple(one for key in entry.keys if key in indexes for one in indexes[key].summaries)


def _place(entry: Entry, indexes: dict[str, Index], stage: str, name: str) -> Place | None:
    for key in entry.keys:
        place = indexes[key].place(stage, name) if key in indexes else None
        if place is not None:
            return key, place
    return None
