"""Params and metrics as columns: what documents have in common is worked out once, the rest by numpy."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from pipeline.contract.metrics import direction
from tui.core.experiments import Experiment
from tui.core.keys import Side, all_keys, flat
from tui.core.values import format_param
from tui.store.sql.arrays import Array, numbers, objects

_PLAIN = {str, int, float, bool, type(None)}


def param_columns(experiments: Sequence[Experiment]) -> dict[str, Array]:
    """Table `params`."""
    columns, _, values = _columns(experiments, "param")
    return {**columns, "value": objects(_texts(values)), "number": numbers(_numbers(values))}


def metric_columns(experiments: Sequence[Experiment]) -> dict[str, Array]:
    """Table `metrics`."""
    columns, (keys, codes), values = _columns(experiments, "metric")
    found = numbers(_numbers(values))
    texts = np.empty(len(values), dtype=object)
    for index in np.flatnonzero(np.isnan(found)):
        if number(values[index]) is None:
            texts[index] = format_param(values[index])
    directions = objects(direction(key) for key in keys)
    return {**columns, "value": found, "text": texts, "direction": directions[codes]}


def number(value: Any) -> float | None:
    """The value if it is a number that a double can hold; true and false are none."""
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]  # mypy does not narrow by type()
    if kind is bool or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _numbers(values: Sequence[Any]) -> list[float | None]:
    """Of all values; the two most frequent types without a call."""
    return [value if (kind := type(value)) is float else None if kind is str else number(value) for value in values]


def _columns(
    experiments: Sequence[Experiment], side: Side
) -> tuple[dict[str, Array], tuple[list[str], Array], list[Any]]:
    """Columns rev, name, key; all keys with the place of each value's among them; the values."""
    codes_of = _Codes(experiments, side)
    counts = np.zeros(len(experiments), dtype=np.int64)
    parts: list[Array] = []
    documents: list[Iterable[Any]] = []
    for index, row in enumerate(experiments):
        for path, document in (row.params if side == "param" else row.metrics).items():
            leaves = flat(document)
            counts[index] += len(leaves)
            parts.append(codes_of(path, tuple(leaves)))
            documents.append(leaves.values())
    codes = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    columns = {
        "rev": np.repeat(objects(row.rev for row in experiments), counts),
        "name": np.repeat(objects(row.label for row in experiments), counts),
        "key": objects(codes_of.keys)[codes],
    }
    return columns, (codes_of.keys, codes), list(chain.from_iterable(documents))


class _Codes:
    """Numbers of keys; documents with the same leaves, which is nearly all of them, share one array."""

    def __init__(self, experiments: Sequence[Experiment], side: Side) -> None:
        found = all_keys(experiments, side)
        self.keys = [key.text for key in found]
        self._codes = {(key.path, key.name): code for code, key in enumerate(found)}
        self._known: dict[tuple[str, tuple[str, ...]], Array] = {}

    def __call__(self, path: str, names: tuple[str, ...]) -> Array:
        known = self._known.get((path, names))
        if known is None:
            codes = self._codes
            found = (codes.get((path, name), codes.get((None, name))) for name in names)
            known = self._known[path, names] = np.array(list(found), dtype=np.int64)
        return known


def _texts(values: Sequence[Any]) -> Iterable[str]:
    """Params as text; the same few values come again and again."""
    known: dict[tuple[type, Any], str] = {}
    for value in values:
        kind = type(value)
        if kind not in _PLAIN:
            yield format_param(value)
            continue
        text = known.get((kind, value))
        if text is None:
            text = known[kind, value] = format_param(value)
        yield text
