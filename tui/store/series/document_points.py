"""Decodes series in JSON, YAML and TOML documents, as DVC finds the points of a plot in them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from tui.core.series import Recording
from tui.store.series.points import TIME_COLUMNS, Columns, number, step_column

_MAX_DEPTH = 20


def decode_records(
    document: Any, x: str | None, y: Sequence[str], stage: str, *, counts_rows: bool = False
) -> Recording:
    """Points of all lists of records, wherever they are; records at one place of several lists are one."""
    columns = Columns(stage)
    records = _merged(document)
    names = dict.fromkeys(chain.from_iterable(records))
    chosen = step_column(names, x) if not counts_rows else None
    if chosen is not None and number(next(record[chosen] for record in records if chosen in record)) is None:
        chosen = None  # dates or names
    for index, record in enumerate(records):
        step = float(index) if chosen is None else number(record.get(chosen))
        if step is not None:
            _add_record(columns, record, step, chosen, y)
    return columns.result()


def _add_record(columns: Columns, record: Mapping[Any, Any], step: float, chosen: str | None, y: Sequence[str]) -> None:
    for name in y or [name for name in record if name != chosen and name not in TIME_COLUMNS]:
        found = number(record.get(name))
        if found is not None:
            columns.add(str(name), step, found)


def _merged(document: Any) -> list[dict[Any, Any]]:
    merged: list[dict[Any, Any]] = []
    for records in _lists(document):
        for index, record in enumerate(records):
            if index == len(merged):
                merged.append({})
            if isinstance(record, Mapping):
                merged[index].update(record)
    return merged


def _lists(node: Any, depth: int = 0) -> Iterator[list[Any]]:
    """Lists with records in a document."""
    if isinstance(node, list):
        if any(isinstance(record, Mapping) for record in node):
            yield node
    elif isinstance(node, Mapping) and depth < _MAX_DEPTH:
        for item in node.values():
            yield from _lists(item, depth + 1)
