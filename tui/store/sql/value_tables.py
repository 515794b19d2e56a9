"""Params and metrics as columns: what documents have in common is worked out once, the rest by numpy."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from pipeline.contract.metrics import direction, is_resource
from tui.core.experiments import Experiment
from tui.core.keys import Key, Side, all_keys, flat
from tui.core.methods import effects_of
from tui.core.values import format_param
from tui.store.sql.arrays import Array, numbers, objects

_PLAIN = {str, int, float, bool, type(None)}


class _Leaves(NamedTuple):
    """All values of all experiments, one experiment after the other."""

    keys: list[Key]
    codes: Array
    """Of each value the place of its key."""
    owners: Array
    """Of each value the place of its experiment."""
    values: list[Any]


def param_columns(experiments: Sequence[Experiment]) -> dict[str, Array]:
    """Table `params`."""
    leaves = _leaves(experiments, "param")
    found = {"value": objects(_texts(leaves.values)), "number": numbers(_numbers(leaves.values))}
    return {**_which(experiments, leaves), **found, "is_used": _are_used(experiments, leaves)}


def metric_columns(experiments: Sequence[Experiment]) -> dict[str, Array]:
    """Table `metrics`."""
    leaves = _leaves(experiments, "metric")
    keys, codes, _, values = leaves
    found = numbers(_numbers(values))
    texts = np.empty(len(values), dtype=object)
    for index in np.flatnonzero(np.isnan(found)):
        if number(values[index]) is None:
            texts[index] = format_param(values[index])
    directions = objects(direction(key.text) for key in keys)
    costs = np.array([is_resource(key.name) for key in keys], dtype=bool)
    shared = {"direction": directions[codes], "is_resource": costs[codes]}
    return {**_which(experiments, leaves), "value": found, "text": texts, **shared}


def _which(experiments: Sequence[Experiment], leaves: _Leaves) -> dict[str, Array]:
    """Columns rev, name, key."""
    return {
        "rev": objects(row.rev for row in experiments)[leaves.owners],
        "name": objects(row.label for row in experiments)[leaves.owners],
        "key": objects(key.text for key in leaves.keys)[leaves.codes],
    }


def _are_used(experiments: Sequence[Experiment], leaves: _Leaves) -> Array:
    """Whether each param has any effect; worked out once for each key and way to adapt a model."""
    effects = [effects_of(row.params) for row in experiments]
    places = {one: place for place, one in enumerate(dict.fromkeys(effects))}
    answers = [[one.applies(key.name) for key in leaves.keys] for one in places]
    found = np.array(answers, dtype=bool).reshape(len(places), len(leaves.keys))
    ways = np.array([places[one] for one in effects], dtype=np.int64)
    return found[ways[leaves.owners], leaves.codes]


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


def _leaves(experiments: Sequence[Experiment], side: Side) -> _Leaves:
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
    owners = np.repeat(np.arange(len(experiments)), counts)
    return _Leaves(codes_of.keys, codes, owners, list(chain.from_iterable(documents)))


class _Codes:
    """Numbers of keys; documents with the same leaves, which is nearly all of them, share one array."""

    def __init__(self, experiments: Sequence[Experiment], side: Side) -> None:
        self.keys = all_keys(experiments, side)
        self._codes = {(key.path, key.name): code for code, key in enumerate(self.keys)}
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
