"""Reads params, metrics and pipeline files as DVC does: by suffix, YAML 1.2 unless it says JSON, TOML or Python."""

import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tui.store.git.files import MAX_BYTES, Files, FolderFiles, TooLargeError
from tui.store.parsing.full_yaml import load_yaml, what_is_wrong, yaml_errors
from tui.store.parsing.plain_values import MAX_VALUES, as_json, depth_exceeds, is_json, is_too_much, only_metrics
from tui.store.parsing.plain_yaml import load_plain_yaml

MAX_DEPTH = 100
_MAX_DOCUMENTS = 100_000
_MANY_DIGITS = re.compile(rb"[0-9]{19}")


class BadDocumentError(Exception):
    """A file that cannot be read; the text says why."""

    is_final = True
    """Whether it could not be read later either."""


class TooMuchError(BadDocumentError):
    """A file that is too large, nested too deeply or expands to too much: for DVC as well."""


class UnreadableError(BadDocumentError):
    """A file whose content is not there, or cannot be got at."""

    is_final = False


class Documents:
    """Parsed files, each content parsed once."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def load(self, files: Files, path: str) -> Any:
        """The parsed file, shared between callers; BadDocumentError if it cannot be read."""
        return self.cached(files, path, parse_document).plain

    def cached(self, files: Files, path: str, decode: Callable[[str, bytes], Any]) -> Any:
        """What `decode(path, content)` makes of a file; BadDocumentError if it cannot be read."""
        identity = files.identity(path)
        key = (decode.__name__, suffix_of(path), identity)
        outcome = self._known.get(key)
        if outcome is None:
            outcome = _outcome(path, decode, lambda: files.read(path))
            if _is_still(files, path, identity):
                self._keep(key, outcome)
        return _value(outcome)

    def at_place(self, place: Path, path: str, decode: Callable[[str, bytes], Any]) -> Any:
        """What `decode(path, content)` makes of an object in the DVC cache, whose name tells its content."""
        key = (decode.__name__, suffix_of(path), place)
        outcome = self._known.get(key)
        if outcome is None:
            outcome = _outcome(path, decode, lambda: _read(place))
            self._keep(key, outcome)
        return _value(outcome)

    def _keep(self, key: Hashable, outcome: Any) -> None:
        if len(self._known) >= _MAX_DOCUMENTS:
            self._known.clear()
        self._known[key] = outcome


def _value(outcome: Any) -> Any:
    if isinstance(outcome, BadDocumentError):
        raise outcome
    return outcome


def _is_still(files: Files, path: str, identity: Hashable | None) -> bool:
    """Whether what was read is sure to be what the identity says: a file may be written while it is read."""
    if isinstance(files, FolderFiles):
        return identity is not None and files.again().identity(path) == identity
    return identity is not None


def _outcome(path: str, decode: Callable[[str, bytes], Any], read: Callable[[], bytes]) -> Any:
    try:
        return decode(path, read())
    except BadDocumentError as error:
        return error
    except KeyError:
        return UnreadableError("its object is missing from the Git repository")
    except TooLargeError as error:
        return TooMuchError(str(error))
    except (OSError, ValueError) as error:
        return UnreadableError(what_is_wrong(error))


def _read(place: Path) -> bytes:
    size = place.stat().st_size
    if size > MAX_BYTES:
        raise TooLargeError(str(place), size)
    return place.read_bytes()


def suffix_of(path: str) -> str:
    """What DVC takes for the suffix of params, variables and metrics: all from the first dot; `a.b.json` is YAML."""
    _, dot, suffix = path.rpartition("/")[2].partition(".")
    return (dot + suffix).lower()


def extension_of(path: str) -> str:
    """What DVC takes for the suffix of plots: all from the last dot."""
    return posixpath.splitext(path)[1].lower()


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds."""

    value: Any
    """As it was read: names that are numbers, and dates, are such."""
    plain: Any
    """As JSON would have it; the same object where that is no difference."""


def parse_document(path: str, data: bytes) -> Document:
    """A document; one that is empty or false is an empty mapping, as for DVC."""
    return _document(*_parse(suffix_of(path), data))


def parse(path: str, data: bytes) -> Any:
    """The values of a plot's document as JSON would have them."""
    return _document(*_parse(extension_of(path), data)).plain


def _document(value: Any, is_plain: bool) -> Document:
    return Document(value or {}, value or {}) if is_plain or is_json(value) else Document(value, as_json(value))


def parse_metrics(path: str, data: bytes) -> Any:
    """What DVC keeps of a metrics file: numbers, also those that are not finite, text, and mappings of them."""
    return only_metrics(_parse(suffix_of(path), data)[0]) or {}


def _parse(suffix: str, data: bytes) -> tuple[Any, bool]:
    """The values of a document, and whether they are sure to be what JSON has."""
    try:
        value, is_plain = _PARSERS.get(suffix, _parse_yaml)(data)
    except (ValueError, SyntaxError, yaml_errors(), RecursionError, MemoryError) as error:
        raise BadDocumentError(_reason(suffix, data, error)) from error
    if b"&" in data and b"*" in data and is_too_much(value):
        raise TooMuchError(f"expands to more than {MAX_VALUES:,} values")
    if depth_exceeds(value, MAX_DEPTH):
        raise TooMuchError(f"is nested more than {MAX_DEPTH} levels deep")
    return value, is_plain


def _parse_json(data: bytes) -> tuple[Any, bool]:
    try:
        if _MANY_DIGITS.search(data) is None:
            return orjson.loads(data), True
    except orjson.JSONDecodeError:
        pass
    return json.loads(data.decode("utf-8")), True  # NaN, Infinity, and whole numbers of more than 64 bits


def _parse_toml(data: bytes) -> tuple[Any, bool]:
    return tomllib.loads(data.decode()), False


def _parse_python(data: bytes) -> tuple[Any, bool]:
    from tui.store.parsing.python_params import load_python

    return load_python(data), False


def _parse_yaml(data: bytes) -> tuple[Any, bool]:
    plain = load_plain_yaml(data)
    return (plain, True) if plain is not None else (load_yaml(data), False)


_PARSERS: dict[str, Callable[[bytes], tuple[Any, bool]]] = {
    ".json": _parse_json, ".toml": _parse_toml, ".py": _parse_python,
}  # fmt: skip
_KINDS = {".json": "JSON", ".toml": "TOML", ".py": "Python"}


def _reason(suffix: str, data: bytes, error: Exception) -> str:
    if not data.strip():
        return "is empty"
    return f"does not parse as {_KINDS.get(suffix, 'YAML')}: {what_is_wrong(error)}"
