"""The part of a params file that stages track, or that they take as variables."""

from collections.abc import Mapping, Sequence
from typing import Any

from tui.store.parsing.documents import BadDocumentError, Document
from tui.store.parsing.plain_values import as_json

_GLOB = frozenset("*?[")
_ABSENT = object()


def select(loaded: Document, keys: Sequence[str]) -> Any:
    """The tracked part of a params file; all of it without keys. Keys are DVC's, which are those of dpath.

    Where dpath fails, which it does with names that are numbers, BadDocumentError says so.
    """
    document = loaded.plain
    if not keys:
        return document
    is_odd = loaded.value is not document or not isinstance(document, dict)
    if is_odd or _overlap(keys) or any(_is_special(document, key) for key in keys):
        return as_json(_select_by_dpath(loaded.value, keys))
    chosen: dict[str, Any] = {}
    for key in dict.fromkeys(keys):
        _copy(document, chosen, key.split("."))
    return chosen


def _overlap(keys: Sequence[str]) -> bool:
    """Whether one key leads to what is inside of another's: dpath joins lists that are found twice."""
    return any(one != other and other.startswith(f"{one}.") for one in keys for other in keys)


def _is_special(document: dict[str, Any], key: str) -> bool:
    """Whether a key is a pattern, or leads into a list."""
    if not _GLOB.isdisjoint(key):
        return True
    found: Any = document
    for part in key.split("."):
        if isinstance(found, list):
            return True
        found = found.get(part) if isinstance(found, dict) else None
    return not key or ".." in key or key.startswith(".") or key.endswith(".")


def _copy(source: Any, target: dict[str, Any], parts: list[str]) -> None:
    """Copy what is at a path, with the mappings around it; nothing if there is nothing."""
    found = source
    for part in parts:
        if not isinstance(found, dict) or part not in found:
            return
        found = found[part]
    for part in parts[:-1]:
        below = dict(target.get(part, {}))
        target[part] = below
        target = below
    known = target.get(parts[-1])
    target[parts[-1]] = {**known, **found} if isinstance(known, dict) and isinstance(found, dict) else found


def _select_by_dpath(document: Any, keys: Sequence[str]) -> Any:
    from copy import deepcopy

    import dpath
    import dpath.options
    from dpath.exceptions import FilteredValue, InvalidGlob, InvalidKeyName, PathNotFound

    dpath.options.ALLOW_EMPTY_STRING_KEYS = True  # as DVC's plots do for all of DVC
    chosen: dict[str, Any] = {}
    try:
        for key in dict.fromkeys(keys):
            dpath.merge(chosen, deepcopy(dpath.search(document, key, separator=".")), separator=".")
    except (
        TypeError,
        ValueError,
        AttributeError,
        LookupError,
        FilteredValue,
        InvalidGlob,
        InvalidKeyName,
        PathNotFound,
    ) as error:
        raise BadDocumentError(f"its keys cannot be looked up: {error}") from error
    return chosen


def pick(document: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Dotted key -> value, of those that are there."""
    found = {key: _at(document, key.split(".")) for key in keys}
    return {key: value for key, value in found.items() if value is not _ABSENT}


def _at(found: Any, parts: Sequence[str]) -> Any:
    """The value at a path; names may have dots of their own."""
    if not parts:
        return found
    if isinstance(found, list):
        index = int(parts[0]) if parts[0].isdecimal() else len(found)
        return _at(found[index], parts[1:]) if index < len(found) else _ABSENT
    if isinstance(found, Mapping):
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[:count])
            below = _at(found[name], parts[count:]) if name in found else _ABSENT
            if below is not _ABSENT:
                return below
    return _ABSENT
