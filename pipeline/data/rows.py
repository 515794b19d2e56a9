"""Rows on their way from a source to a split, and what is said about those that drop out."""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.models.messages import Message


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as its source has it."""

    file: str
    """Name of the file as the user wrote it, or of the data set."""
    line: int
    """Line of a text file, row number elsewhere; counts from 1."""
    columns: Mapping[str, Any]
    """Values by column name, nothing checked."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row that can be trained on."""

    file: str
    """Where it came from."""
    line: int
    """Line or row number there."""
    category: str
    """Group that the row belongs to; empty if none."""
    prompt: list[Message]
    """The conversation up to and including the last user message."""
    completion: str
    """The assistant's final answer."""


@dataclass(frozen=True, slots=True)
class DroppedRow:
    """A row that is left out, and why."""

    file: str
    """Where it came from."""
    line: int
    """Line or row number there."""
    reason: str
    """Short name of the reason, the same for all rows that it fits."""
    detail: str
    """What is wrong with this row."""

    def __str__(self) -> str:
        return printable(f"{self.file}:{self.line}: {self.reason}: {self.detail}")


class RowProblem(Exception):
    """A row that cannot be used."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def printable(text: str) -> str:
    r"""Text from data, safe to show: control characters are written as escapes.

    >>> printable("a\x1b[31m")
    'a\\x1b[31m'
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def shorten(value: object) -> str:
    """A value as a message quotes it, however large it is."""
    return reprlib.repr(value)[:60]
