"""Data that cannot be used: the stage, started as DVC starts it, says what, where and what to do."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipeline.contract import paths
from pipeline.contract.loading import check_params
from pipeline.contract.problems import StageError
from pipeline.contract.run_record import decode_run_record
from pipeline.stages import prepare

GOOD = b'{"prompt": "a", "completion": "b"}\n'


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failure(source: str, **section: object) -> str:
    with pytest.raises(StageError) as caught:
        prepare.run(check_params({"prepare": {"source": source, **section}}))
    assert not paths.PREPARED_DATA.exists()
    record = decode_run_record((paths.metrics_dir("prepare") / paths.RUN_RECORD_NAME).read_bytes())
    assert record is not None
    assert (record.status, record.error) == ("failed", str(caught.value))
    return str(caught.value)


def test_a_missing_file() -> None:
    text = failure("data/raw/train.jsonl")
    assert text.startswith("params.yaml: prepare.source is 'data/raw/train.jsonl': no such file or folder; give a path")


def test_an_empty_file() -> None:
    Path("data.jsonl").touch()
    assert failure("data.jsonl") == "data.jsonl: the file is empty; remove it or write it anew"


def test_an_empty_file_among_others() -> None:
    Path("raw").mkdir()
    Path("raw/a.jsonl").write_bytes(GOOD)
    Path("raw/b.csv").touch()
    assert failure("raw").startswith("raw/b.csv: the file is empty")


@pytest.mark.parametrize(("name", "content"), [("data.jsonl", b"\n \n"), ("data.csv", b"prompt,completion\n")])
def test_a_file_without_rows(name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    assert failure(name) == f"{name}: holds no rows"


def test_a_folder_without_data_files() -> None:
    Path("raw").mkdir()
    Path("raw/notes.txt").write_text("hello")
    assert failure("raw") == "raw: no data files in this folder; known are .jsonl, .json, .csv, .parquet"


def test_an_unknown_kind_of_file() -> None:
    Path("data.xlsx").write_bytes(b"PK")
    assert failure("data.xlsx").startswith("data.xlsx: unknown kind of file '.xlsx'; known are .jsonl, .json")


def test_a_file_in_another_encoding() -> None:
    Path("data.jsonl").write_bytes(GOOD.decode().encode("utf-16"))
    text = failure("data.jsonl")
    assert text.startswith("data.jsonl: no row can be decoded\ndata.jsonl:1: not_utf8: byte 1 of the line is not UTF-8")


def test_a_csv_file_in_another_encoding() -> None:
    Path("data.csv").write_bytes("prompt,completion\nça,déjà\n".encode("latin-1"))
    assert "data.csv:2: not_utf8" in failure("data.csv")


def test_a_truncated_parquet_file() -> None:
    pl.DataFrame({"prompt": ["a"] * 100, "completion": ["b"] * 100}).write_parquet("data.parquet")
    content = Path("data.parquet").read_bytes()
    Path("data.parquet").write_bytes(content[:-20])
    assert failure("data.parquet").startswith("data.parquet: cannot be read as Parquet")


def test_wrong_columns() -> None:
    Path("data.csv").write_text("question,answer\na,b\n")
    text = failure("data.csv")
    assert "Columns found: answer, question." in text
    assert "prepare.format: columns" in text


def test_too_many_bad_rows_shows_the_first_of_each_reason() -> None:
    Path("data.jsonl").write_bytes(GOOD * 10 + b"[]\n" * 7 + b'{"prompt": "\\u001b[2J"}\n{"prompt": "cut')
    lines = failure("data.jsonl", max_bad_fraction=0.4).splitlines()
    assert lines[0].startswith("9 of 19 rows (47.4%) are malformed, more than prepare.max_bad_fraction (0.4) allows")
    assert lines[1:] == [
        *[f"data.jsonl:{line}: not_object: a row is a JSON object, this is []" for line in range(11, 16)],
        "... and 2 more rows with not_object",
        "data.jsonl:19: not_json: the last line may be cut off: unexpected end of data at column 16",
        "data.jsonl:18: missing_column: has no completion",
    ]


def test_as_many_bad_rows_as_allowed_are_no_failure_of_the_data() -> None:
    Path("data.jsonl").write_bytes(GOOD * 19 + b"[]\n")
    assert failure("data.jsonl", max_bad_fraction=0.05).startswith("data/models/base/model.json: no such file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read() -> None:
    Path("data.jsonl").write_bytes(GOOD)
    Path("data.jsonl").chmod(0)
    with pytest.raises(PermissionError):
        prepare.run(check_params({"prepare": {"source": "data.jsonl"}}))


def test_the_program_ends_with_one_message_and_exit_code_1(project: Path) -> None:
    (project / "params.yaml").write_text(yaml.safe_dump({"prepare": {"source": "data.jsonl"}}))
    (project / "data.jsonl").write_bytes(b"\xff\n" * 3)
    root = str(Path(prepare.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.stages.prepare"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "prepare: data.jsonl: no row can be decoded",
        *[f"prepare: data.jsonl:{line}: not_utf8: byte 1 of the line is not UTF-8" for line in (1, 2, 3)],
    ]
