"""Fast path for what params files consist of: block mappings, lists of plain scalars; the rest is not for it."""

import re
from typing import Any, TypeVar

from tui.store.parsing.full_yaml import load_yaml, yaml_errors

_PLAIN = r"-?[A-Za-z0-9_./][A-Za-z0-9_./+-]*"
_END = r" *(?: #[ -~\t]*)?"
_FLOW = rf"\[ *(?:{_PLAIN}(?: *, *{_PLAIN})*)? *\]"
_ENTRY = re.compile(rf"( *)([A-Za-z_][A-Za-z0-9_-]*):(?: +({_PLAIN}|{_FLOW}))?{_END}")
_ITEM = re.compile(rf"( *)- +({_PLAIN}){_END}")
_BLANK = re.compile(r" *(?:#[ -~\t]*)?")
_WORDS = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "null": None, "Null": None, "NULL": None,
}  # fmt: skip
"""What begins with a letter and is no text."""
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:e[-+][0-9]+)?")
_MAX_SCALARS = 100_000
_Container = TypeVar("_Container", dict[str, Any], list[Any])
_scalars: dict[str, Any] = {}
_SECTION = re.compile(r"\n(?=[A-Za-z_])")
_MAX_SECTIONS = 20_000
_sections: dict[str, dict[str, Any]] = {}
"""Text of a top-level entry -> what it says: most revisions change one of many."""


class _NotPlainError(Exception):
    """The text has something that only the real parser understands."""


def load_plain_yaml(data: bytes) -> dict[str, Any] | None:
    """The document, or None if it is anything but nested mappings and lists of plain scalars.

    Two versions of a file share the values of the sections that they have in common: nobody may change them.
    """
    root: dict[str, Any] = {}
    num_names = 0
    try:
        for text in _SECTION.split(data.decode("ascii")):
            section = _sections.get(text)
            if section is None:
                section = _load_section(text)
            root.update(section)
            num_names += len(section)
    except (UnicodeDecodeError, _NotPlainError):
        return None
    return root if root and len(root) == num_names else None


def _load_section(text: str) -> dict[str, Any]:
    builder = _Builder()
    for line in text.split("\n"):
        builder.add(line)
    if len(_sections) >= _MAX_SECTIONS:
        _sections.clear()
    _sections[text] = builder.root
    return builder.root


class _Builder:
    """Builds the document line by line."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._open: list[tuple[int, Any]] = [(0, self.root)]
        self._pending: tuple[int, dict[str, Any], str] | None = None

    def add(self, line: str) -> None:
        """Take one line; _NotPlainError if it is not plain."""
        if (entry := _ENTRY.fullmatch(line)) is not None:
            self._add_entry(len(entry[1]), _scalar(entry[2]), entry[3])
        elif (item := _ITEM.fullmatch(line)) is not None:
            self._list(len(item[1])).append(_scalar(item[2]))
        elif _BLANK.fullmatch(line) is None:
            raise _NotPlainError

    def _add_entry(self, indent: int, key: Any, token: str | None) -> None:
        mapping = self._mapping(indent)
        if not isinstance(key, str) or key in mapping:
            raise _NotPlainError
        mapping[key] = None if token is None else _value(token)
        self._pending = (indent, mapping, key) if token is None else None

    def _mapping(self, indent: int) -> dict[str, Any]:
        if self._pending is not None and indent > self._pending[0]:
            return self._begin(self._pending, indent, {})
        while self._open and (self._open[-1][0] > indent or isinstance(self._open[-1][1], list)):
            self._open.pop()
        if not self._open or self._open[-1][0] != indent:
            raise _NotPlainError
        mapping: dict[str, Any] = self._open[-1][1]
        return mapping

    def _list(self, indent: int) -> list[Any]:
        if self._pending is not None and indent >= self._pending[0]:
            return self._begin(self._pending, indent, [])
        if self._pending is not None or self._open[-1][0] != indent or not isinstance(self._open[-1][1], list):
            raise _NotPlainError
        found: list[Any] = self._open[-1][1]
        return found

    def _begin(self, pending: tuple[int, dict[str, Any], str], indent: int, container: _Container) -> _Container:
        _, mapping, key = pending
        mapping[key], self._pending = container, None
        self._open.append((indent, container))
        return container


def _value(token: str) -> Any:
    """A scalar, or a list of some on one line."""
    if not token.startswith("["):
        return _scalar(token)
    return [_scalar(part.strip()) for part in token[1:-1].split(",") if part.strip()]


def _scalar(token: str) -> Any:
    if token[0].isalpha():
        return _WORDS.get(token, token)
    if _INTEGER.fullmatch(token):
        return int(token)
    if _NUMBER.fullmatch(token):
        return float(token)
    if token not in _scalars:
        try:
            value = load_yaml(token)
        except (yaml_errors(), ValueError) as error:
            raise _NotPlainError from error
        if not (value is None or isinstance(value, str | int | float)):
            raise _NotPlainError
        if len(_scalars) >= _MAX_SCALARS:
            _scalars.clear()
        _scalars[token] = value
    return _scalars[token]
