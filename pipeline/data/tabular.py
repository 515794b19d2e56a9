"""Reads CSV and Parquet."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.contract.problems import StageError
from pipeline.data.rows import DroppedRow, RawRow

_BYTE_ORDER_MARK = "\ufeff"


def read_csv(path: Path, name: str) -> Iterator[RawRow | DroppedRow]:
    """Rows of a comma-separated file with a header; a row is named by the line that it begins on."""
    csv.field_size_limit(sys.maxsize)
    # Bytes that are not UTF-8 become lone surrogates, so that they spoil their own row only.
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        records = _records(csv.reader(file, strict=True))
        header: Sequence[str] | None = None
        for line, record, problem in records:
            if header is None:
                header = _header(record, problem, name)
            elif problem:
                yield DroppedRow(name, line, "not_csv", problem)
            elif record:
                yield _as_row(header, record, name, line)


def read_parquet(path: Path, name: str) -> Iterator[RawRow | DroppedRow]:
    """Rows of a Parquet file."""
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise StageError(f"{name}: cannot be read as Parquet: {reason}; write the file anew") from error
    return frame_rows(frame, name)


def frame_rows(frame: pl.DataFrame, name: str) -> Iterator[RawRow]:
    """Rows of a data frame, counted from 1."""
    return (RawRow(name, number, row) for number, row in enumerate(frame.iter_rows(named=True), 1))


def _records(reader: Any) -> Iterator[tuple[int, list[str], str]]:
    """First line, fields and problem of each record; the reader goes on after a record with bad quotes."""
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            yield line, [], f"{error} (line {reader.line_num})"


def _header(record: list[str], problem: str, name: str) -> Sequence[str]:
    if problem:
        raise StageError(f"{name}:1: the header does not parse as CSV: {problem}")
    names = [field.removeprefix(_BYTE_ORDER_MARK).strip() for field in record]
    if not is_text("".join(names)):
        raise StageError(f"{name}:1: the header is not UTF-8 text; save the file as UTF-8")
    twice = [field for field, count in Counter(names).items() if count > 1]
    if twice:
        raise StageError(f"{name}:1: the header names {twice[0]!r} twice; rename one of the columns")
    return names


def _as_row(header: Sequence[str], record: list[str], name: str, line: int) -> RawRow | DroppedRow:
    if len(record) != len(header):
        return DroppedRow(name, line, "wrong_fields", f"{len(record)} fields, the header has {len(header)}")
    if not all(is_text(field) for field in record):
        return DroppedRow(name, line, "not_utf8", "holds bytes that are not UTF-8")
    return RawRow(name, line, dict(zip(header, record, strict=True)))


def is_text(text: str) -> bool:
    """Whether the text can be written as UTF-8: lone surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
