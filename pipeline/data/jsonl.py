"""Reads JSON lines, one line at a time, so that a bad line costs one row."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pipeline.contract.problems import StageError
from pipeline.data.rows import DroppedRow, RawRow, RowProblem, shorten

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_json_lines(path: Path, name: str) -> Iterator[RawRow | DroppedRow]:
    """Rows of a file with one JSON object a line; blank lines are no rows."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            data = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
            if data.strip():
                yield _decode(data, name, number)


def read_json(path: Path, name: str) -> Iterator[RawRow | DroppedRow]:
    """Rows of a .json file: JSON lines, or one array of objects."""
    with path.open("rb") as file:
        start = file.read(4096).removeprefix(_BYTE_ORDER_MARK).lstrip()
    return _read_array(path, name) if start.startswith(b"[") else read_json_lines(path, name)


def _read_array(path: Path, name: str) -> Iterator[RawRow | DroppedRow]:
    try:
        values: list[Any] = orjson.loads(path.read_bytes().removeprefix(_BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise StageError(f"{name}: begins as a JSON array but does not parse: {error}; is it truncated?") from error
    for number, value in enumerate(values, 1):
        yield _as_row(value, name, number)


def _decode(line: bytes, name: str, number: int) -> RawRow | DroppedRow:
    try:
        return _as_row(_parse(line), name, number)
    except RowProblem as problem:
        return DroppedRow(name, number, problem.reason, problem.detail)


def _parse(line: bytes) -> Any:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise RowProblem("not_utf8", f"byte {error.start + 1} of the line is not UTF-8") from error
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        where = "the last line may be cut off: " if not line.endswith(b"\n") else ""
        raise RowProblem("not_json", f"{where}{error.msg} at column {error.colno}") from error


def _as_row(value: Any, name: str, number: int) -> RawRow | DroppedRow:
    if isinstance(value, dict):
        return RawRow(name, number, value)
    return DroppedRow(name, number, "not_object", f"a row is a JSON object, this is {shorten(value)}")
