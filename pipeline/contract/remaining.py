"""Rules among params of which some are wrong: what is right is checked, what depends on the rest is left out."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.contract.params import Params
from pipeline.contract.rules import RULES
from pipeline.contract.rules.rule import Rule


class _UnknownValueError(Exception):
    """A rule asks for a value that is wrong."""


def broken_among_the_rest(value: dict[str, Any], wrong: Iterable[str]) -> Iterator[Rule]:
    """The rules that the values break without those at the wrong keys."""
    rest, unknown = deepcopy(value), set()
    for key in wrong:
        unknown.add(_drop(rest, key.split(".")))
    try:
        known: Any = _Known(Params.model_validate(rest), unknown)
    except ValidationError:
        return
    for rule in RULES:
        try:
            if rule.broken(known):
                yield rule
        except _UnknownValueError:
            continue


def _drop(section: Any, keys: list[str]) -> str:
    """Remove the value at a key, or the whole value that it lies in when that is no mapping; what was removed."""
    for place, key in enumerate(keys):
        inner = section.get(key)
        if place == len(keys) - 1 or not isinstance(inner, dict):
            section.pop(key, None)
            return ".".join(keys[: place + 1])
        section = inner
    return ""


class _Known:
    """Params as a rule sees them; reading a value that is wrong raises."""

    def __init__(self, section: BaseModel, unknown: set[str], prefix: str = "") -> None:
        self._section = section
        self._unknown = unknown
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        key = f"{self._prefix}{name}"
        if key in self._unknown:
            raise _UnknownValueError(key)
        value = getattr(self._section, name)
        return _Known(value, self._unknown, f"{key}.") if isinstance(value, BaseModel) else value
