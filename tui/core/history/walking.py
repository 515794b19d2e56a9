"""Walks a line of commits back, reading no further than somebody looks."""

from collections.abc import Iterator
from itertools import chain, islice

from tui.core.experiments import Experiment
from tui.core.history.metric_history import find_key, unknown_key
from tui.core.keys import Key
from tui.core.ports import Store

_FIRST_BLOCK = 64
_GROWTH = 4
_MAX_BLOCK = 4_096


def walk(store: Store, first: Experiment) -> Iterator[Experiment]:
    """A row and the commits before it on the first-parent line; before an experiment comes its baseline."""
    yield first
    has_baseline = first.kind != "commit" and first.baseline is not None
    rev, num_seen = (str(first.baseline), 0) if has_baseline else (first.rev, 1)
    if first.rev == "workspace" and not has_baseline:
        return  # nothing is committed yet
    size = _FIRST_BLOCK
    while True:
        rows = store.lineage(rev, size)
        yield from rows[num_seen:]
        if len(rows) < size:
            return
        rev, num_seen, size = rows[-1].rev, 1, min(size * _GROWTH, _MAX_BLOCK)


def find(text: str, rows: Iterator[Experiment]) -> tuple[Key, Iterator[Experiment]]:
    """The metric or param that is meant, and all the rows; UsageError if no row has it."""
    seen: list[Experiment] = []
    size = _FIRST_BLOCK
    while block := list(islice(rows, size)):
        seen += block
        key = find_key(text, block)
        if key is not None:
            return key, chain(seen, rows)
        size = min(size * _GROWTH, _MAX_BLOCK)
    raise unknown_key(text, seen)
