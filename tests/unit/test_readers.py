"""Reading files: good rows arrive, a bad row costs itself only and is named by its line."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.contract.problems import StageError
from pipeline.data.rows import DroppedRow, RawRow
from pipeline.data.sources import READERS

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\n\r,{}\\'), max_size=20)


def read(path: Path, content: bytes) -> list[RawRow | DroppedRow]:
    path.write_bytes(content)
    return list(READERS[path.suffix](path, path.name))


def summary(rows: list[RawRow | DroppedRow]) -> list[tuple[int, Any]]:
    return [(row.line, dict(row.columns) if isinstance(row, RawRow) else row.reason) for row in rows]


def test_json_lines_name_every_bad_line(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"a": 1}\r\n\n\xff\n[1]\n{"a": 1 "b"}\n{"a": "\\ud800"}\n{"a": "\xc3\xa9"}\n{"a": "cut'
    assert summary(read(tmp_path / "x.jsonl", content)) == [
        (1, {"a": 1}),
        (3, "not_utf8"),
        (4, "not_object"),
        (5, "not_json"),
        (6, "not_json"),
        (7, {"a": "é"}),
        (8, "not_json"),
    ]


def test_json_holds_lines_or_an_array(tmp_path: Path) -> None:
    assert summary(read(tmp_path / "x.json", b'{"a": 1}\n{"a": 2}')) == [(1, {"a": 1}), (2, {"a": 2})]
    assert summary(read(tmp_path / "x.json", b' [{"a": 1},\n 2]')) == [(1, {"a": 1}), (2, "not_object")]
    with pytest.raises(StageError, match="begins as a JSON array but does not parse"):
        read(tmp_path / "x.json", b'[{"a": 1},')


def test_very_deep_json_is_a_bad_row(tmp_path: Path) -> None:
    assert summary(read(tmp_path / "x.jsonl", b"[" * 100_000)) == [(1, "not_json")]


@given(st.lists(st.dictionaries(TEXT, TEXT | st.integers(-(2**53), 2**53) | st.none())), st.integers(0), st.binary())
@SAME_FOLDER
def test_any_prefix_of_json_lines_gives_a_prefix_of_its_rows(
    tmp_path: Path, rows: list[dict[str, Any]], end: int, tail: bytes
) -> None:
    whole = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    prefix = whole[: end % (len(whole) + 1)]
    found = read(tmp_path / "x.jsonl", prefix)
    num_whole = prefix.count(b"\n")
    assert [row.columns for row in found[:num_whole] if isinstance(row, RawRow)] == rows[:num_whole]
    assert len(found) <= num_whole + 1
    assert all(row.line <= prefix.count(b"\n") + 1 for row in found)
    read(tmp_path / "x.jsonl", prefix + tail)


def test_csv_names_every_bad_row_by_the_line_it_begins_on(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfa, b\r\n1,"two\nlines"\n1\n\n1,2,3\n\xff,2\n"x"y,2\n5,6\n"open,7\n'
    assert summary(read(tmp_path / "x.csv", content)) == [
        (2, {"a": "1", "b": "two\nlines"}),
        (4, "wrong_fields"),
        (6, "wrong_fields"),
        (7, "not_utf8"),
        (8, "not_csv"),
        (9, {"a": "5", "b": "6"}),
        (10, "not_csv"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a,b,a\n", "names 'a' twice"), (b"\xff,a\n", "header is not UTF-8"), (b'"a\n1,2\n', "header does not parse")],
)
def test_a_csv_header_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(StageError, match=message):
        read(tmp_path / "x.csv", content)


@given(st.lists(st.tuples(TEXT, TEXT)))
@SAME_FOLDER
def test_csv_gives_back_what_was_written(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    found = read(tmp_path / "x.csv", text.getvalue().encode())
    assert [tuple(row.columns.values()) for row in found if isinstance(row, RawRow)] == rows


@given(st.binary(max_size=200))
@SAME_FOLDER
def test_no_bytes_crash_the_csv_reader(tmp_path: Path, content: bytes) -> None:
    found = read(tmp_path / "x.csv", b"a,b\n" + content)
    assert all(set(row.columns) == {"a", "b"} for row in found if isinstance(row, RawRow))


def test_parquet_rows_have_numbers(tmp_path: Path) -> None:
    turn = {"role": "user", "content": "hello"}
    pl.DataFrame({"messages": [[turn], [turn]]}).write_parquet(tmp_path / "x.parquet")
    content = (tmp_path / "x.parquet").read_bytes()
    assert summary(read(tmp_path / "x.parquet", content)) == [(1, {"messages": [turn]}), (2, {"messages": [turn]})]
    with pytest.raises(StageError, match=r"x\.parquet: cannot be read as Parquet"):
        read(tmp_path / "x.parquet", content[: len(content) // 2])
