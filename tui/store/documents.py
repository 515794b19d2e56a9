"""Reads params, metrics and pipeline files as DVC does: by suffix, YAML 1.2 unless it says JSON or TOML."""

import json
import math
import re
import tomllib
from collections.abc import Callable, Hashable, Iterator, Mapping
from datetime import date
from pathlib import PurePosixPath
from typing import Any

import orjson
import yaml

from pipeline.contract.yaml12 import load_yaml
from tui.store.files import Files
from tui.store.plain_yaml import load_plain_yaml

MAX_DEPTH = 100
_MAX_DOCUMENTS = 100_000
_LOOKS_LIKE_DATE = re.compile(rb"[0-9]{4}-[0-9]")


class BadDocumentError(Exception):
    """A file that cannot be read; the text says why."""


class Documents:
    """Parsed files, each content parsed once."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def load(self, files: Files, path: str) -> Any:
        """The parsed file, shared between callers; BadDocumentError if it cannot be read."""
        return self.cached(files, path, parse)

    def cached(self, files: Files, path: str, decode: Callable[[str, bytes], Any]) -> Any:
        """What `decode(path, content)` makes of a file; BadDocumentError if it cannot be read."""
        identity = files.identity(path)
        key = (decode.__name__, PurePosixPath(path).suffix.lower(), identity)
        if key not in self._known:
            if len(self._known) >= _MAX_DOCUMENTS:
                self._known.clear()
            self._known[key] = self._outcome(files, path, decode)
        outcome = self._known[key]
        if isinstance(outcome, BadDocumentError):
            raise outcome
        return outcome

    def _outcome(self, files: Files, path: str, decode: Callable[[str, bytes], Any]) -> Any:
        try:
            return decode(path, files.read(path))
        except BadDocumentError as error:
            return error
        except KeyError:
            return BadDocumentError("its object is missing from the Git repository")
        except (OSError, ValueError) as error:
            return BadDocumentError(_first_line(error))


def parse(path: str, data: bytes) -> Any:
    """Plain values of a document; an empty YAML document is an empty mapping, as for DVC."""
    suffix = PurePosixPath(path).suffix.lower()
    try:
        value = _PARSERS.get(suffix, _parse_yaml)(data)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise BadDocumentError(_reason(suffix, data, error)) from error
    if depth_exceeds(value, MAX_DEPTH):
        raise BadDocumentError(f"is nested more than {MAX_DEPTH} levels deep")
    return value


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


def clean_metrics(value: Any, bad: list[str], key: str = "") -> Any:
    """What DVC keeps of a metrics file: numbers, text, mappings of them. Keys of non-finite numbers go to `bad`."""
    if isinstance(value, float) and not math.isfinite(value):
        bad.append(key)
        return None
    if isinstance(value, int | float | str):
        return value
    if not isinstance(value, Mapping):
        return None
    kept = {name: clean_metrics(item, bad, f"{key}.{name}" if key else str(name)) for name, item in value.items()}
    return {name: item for name, item in kept.items() if item is not None and item != {}}


def select(document: Any, keys: tuple[str, ...]) -> Any:
    """The tracked part of a params file; all of it without keys."""
    if not keys or not isinstance(document, dict):
        return document
    chosen: dict[str, Any] = {}
    for key in dict.fromkeys(keys):
        _copy(document, chosen, key.split("."))
    return chosen


def _copy(source: Any, target: dict[str, Any], parts: list[str]) -> None:
    for name in _matching(source, parts[0]):
        value = source[name]
        if len(parts) == 1:
            target[name] = value
        elif isinstance(value, dict):
            below: dict[str, Any] = {}
            _copy(value, below, parts[1:])
            if below:
                target[name] = {**target.get(name, {}), **below}


def _matching(source: dict[str, Any], pattern: str) -> list[str]:
    if not any(sign in pattern for sign in "*?["):
        return [pattern] if pattern in source else []
    import fnmatch

    return [name for name in source if isinstance(name, str) and fnmatch.fnmatchcase(name, pattern)]


def _parse_json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)  # NaN, Infinity and big integers, as the standard library reads them


def _parse_toml(data: bytes) -> Any:
    return tomllib.loads(data.decode())


def _parse_yaml(data: bytes) -> Any:
    plain = load_plain_yaml(data)
    if plain is not None:
        return plain
    value = load_yaml(data)
    if _LOOKS_LIKE_DATE.search(data):
        value = _dates_as_text(value)
    return {} if value is None else value


def _dates_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _dates_as_text(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_dates_as_text(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


_PARSERS: dict[str, Callable[[bytes], Any]] = {".json": _parse_json, ".toml": _parse_toml}


def _reason(suffix: str, data: bytes, error: Exception) -> str:
    if not data.strip():
        return "is empty"
    kind = {".json": "JSON", ".toml": "TOML"}.get(suffix, "YAML")
    return f"does not parse as {kind}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"{getattr(error, 'problem', None) or 'bad syntax'} in line {mark.line + 1}"
    return str(error).partition("\n")[0] or type(error).__name__
