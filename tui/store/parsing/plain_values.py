"""Plain values, as documents hold them: what JSON makes of them, what DVC keeps as metrics, how many there are."""

import json
from collections.abc import Iterator
from datetime import date, time
from typing import Any

MAX_VALUES = 1_000_000
"""How many values aliases may make of a document, each counted wherever it is used."""


def is_json(value: Any) -> bool:
    """Whether JSON has such values and names."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_json(item) for name, item in value.items())
    if isinstance(value, list):
        return all(is_json(item) for item in value)
    return value is None or isinstance(value, str | int | float)


def as_json(value: Any) -> Any:
    """The value as `json` writes it: names are text, and so are dates."""
    if isinstance(value, dict):
        return {_key(name): as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((as_json(item) for item in value), key=str)
    if value is None or isinstance(value, str | int | float):
        return value
    return value.isoformat() if isinstance(value, date | time) else str(value)


def only_metrics(value: Any) -> Any:
    """Numbers, text and mappings of them; None if there is nothing of the kind."""
    if isinstance(value, int | float | str):
        return value
    if not isinstance(value, dict):
        return None
    kept = {}
    for name, item in value.items():
        found = item if isinstance(item, int | float) else only_metrics(item)
        if found is not None and found != {}:
            kept[name if isinstance(name, str) else _key(name)] = found
    return kept


def _key(name: Any) -> str:
    if isinstance(name, str):
        return name
    return json.dumps(name) if name is None or isinstance(name, bool | int | float) else str(name)


def is_too_much(value: Any) -> bool:
    """Whether aliases make more of a document than anybody can use."""
    try:
        return _num_values(value, {}) > MAX_VALUES
    except RecursionError:
        return True


def _num_values(value: Any, known: dict[int, int]) -> int:
    """How many values there are, if what is shared is counted wherever it is used; without end if it holds itself."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = MAX_VALUES + 1
        items = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_num_values(item, known) for item in items)
    return known[id(value)]


def depth_exceeds(value: Any, levels: int) -> bool:
    """Whether mappings and lists are nested deeper than so many levels."""
    layer = [value]
    for _ in range(levels):
        layer = [item for node in layer for item in _children(node)]
        if not layer:
            return False
    return True


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        yield from (item for item in node.values() if isinstance(item, dict | list))
    elif isinstance(node, list):
        yield from (item for item in node if isinstance(item, dict | list))
