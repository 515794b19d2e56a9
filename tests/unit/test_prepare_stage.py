"""The stage as a whole: what it writes from what it reads."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from prepare_project import SHARED_DATA, pairs, prepare_params, read_split, run_prepare, write_lines, write_tokenizer

from pipeline.contract import paths
from pipeline.contract.problems import StageError
from pipeline.contract.run_record import decode_run_record
from pipeline.contract.series import decode_points
from pipeline.data.splitting import SPLITS
from pipeline.stages import prepare

SCHEMA = {
    "id": pl.String(),
    "category": pl.String(),
    "prompt": pl.List(pl.Struct({"role": pl.String(), "content": pl.String()})),
    "completion": pl.String(),
    "num_tokens": pl.Int64(),
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_tokenizer()
    return tmp_path


def all_rows() -> pl.DataFrame:
    return pl.concat([read_split(split) for split in SPLITS])


def test_splits_hold_every_row_once_in_the_order_of_its_id() -> None:
    report = run_prepare(write_lines(Path("data.jsonl"), pairs(60)))
    metrics = json.loads((paths.metrics_dir("prepare") / paths.METRICS_NAME).read_bytes())
    for split in SPLITS:
        table = read_split(split)
        assert dict(table.schema) == SCHEMA
        assert table.get_column("id").is_sorted()
        assert table.height == report["splits"][split]["num_rows"] == metrics[f"data/num_{split}"] > 0
    rows = all_rows()
    assert rows.get_column("id").str.contains("^[0-9a-f]{16}$").all()
    assert {(prompt[0]["content"], answer) for prompt, answer in rows.select("prompt", "completion").iter_rows()} == {
        (pair["prompt"], pair["completion"]) for pair in pairs(60)
    }


def test_tokens_are_counted_as_the_model_sees_them() -> None:
    write_lines(Path("data.jsonl"), pairs(60))
    report = run_prepare("data.jsonl")
    # Byte-level pieces without a merge: each character is a token, as are the marks around the two turns.
    row = all_rows().filter(pl.col("completion") == "echo 7").row(0, named=True)
    text = "user\nsay 7\nassistant\necho 7\n"
    assert row["num_tokens"] == len(text) + 4
    assert report["tokens"] == {"p50": 34, "p90": 34, "p95": 34, "p99": 34, "max": 34}


def test_equal_data_gives_equal_files_and_the_order_of_rows_changes_nothing() -> None:
    def contents(rows: list[dict[str, str]]) -> dict[str, bytes]:
        run_prepare(write_lines(Path("data.jsonl"), rows))
        return {path.name: path.read_bytes() for path in paths.PREPARED_DATA.iterdir()}

    first = contents(pairs(60))
    assert contents(pairs(60)) == first
    turned = contents(pairs(60)[::-1])
    assert {name for name in first if first[name] != turned[name]} == {"report.json"}


def test_the_report_accounts_for_every_row() -> None:
    good = pairs(60)
    long = {"prompt": "long", "completion": "x" * 300}
    same = {"prompt": " say 3\r\n", "completion": "echo 3"}
    path = write_lines(Path("data.jsonl"), [*good, long, same, {"prompt": "a"}, {"prompt": "", "completion": "b"}])
    with path.open("ab") as file:
        file.write(b"\xff\n{")
    report = run_prepare("data.jsonl", max_tokens=100, max_bad_fraction=0.1)
    assert (report["num_rows_in"], report["num_rows"], report["num_dropped"], report["num_bad"]) == (66, 60, 6, 4)
    assert (report["num_duplicates"], report["num_too_long"]) == (1, 1)
    places = {reason: (entry["count"], entry["examples"][0]["line"]) for reason, entry in report["dropped"].items()}
    assert places == {
        "duplicate": (1, 62),
        "empty_prompt": (1, 64),
        "missing_column": (1, 63),
        "not_json": (1, 66),
        "not_utf8": (1, 65),
        "too_long": (1, 61),
    }
    assert report["dropped"]["duplicate"]["examples"][0]["detail"] == "equals data.jsonl:4"
    assert report["files"] == [
        {"path": "data.jsonl", "num_bytes": path.stat().st_size, "md5": report["files"][0]["md5"]}
    ]


def test_bad_rows_are_said_on_stderr_at_most_five_of_a_kind(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(Path("data.jsonl"), [*pairs(60), *[{"prompt": f"{index}"} for index in range(8)]])
    run_prepare("data.jsonl", max_bad_fraction=0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "prepare: data.jsonl:61: missing_column: has no completion"
    assert lines[4:] == [
        "prepare: data.jsonl:65: missing_column: has no completion",
        "prepare: ... and 3 more rows with missing_column",
    ]


def test_a_prompt_with_two_answers_keeps_both_on_one_side() -> None:
    rows = pairs(60) + [{**pair, "completion": "other"} for pair in pairs(60)]
    report = run_prepare(write_lines(Path("data.jsonl"), rows))
    assert (report["num_rows"], report["num_prompts"]) == (120, 60)
    assert [counts["num_rows"] for counts in report["splits"].values()] == [
        2 * counts["num_prompts"] for counts in report["splits"].values()
    ]


def test_a_folder_is_read_in_the_order_of_names_whatever_the_kind_of_file() -> None:
    folder = Path("raw")
    folder.mkdir()
    rows = pairs(60)
    pl.DataFrame(rows[40:]).write_parquet(folder / "c.parquet")
    pl.DataFrame(rows[20:40]).write_csv(folder / "b.csv")
    write_lines(folder / "a.jsonl", [*rows[:20], rows[50]])
    (folder / "README.md").write_text("about")
    (folder / ".hidden.jsonl").write_text("{")
    report = run_prepare("raw")
    assert [file["path"] for file in report["files"]] == ["raw/a.jsonl", "raw/b.csv", "raw/c.parquet"]
    assert report["files_skipped"] == ["README.md"]
    assert (report["num_rows"], report["num_bad"], report["num_duplicates"]) == (60, 0, 1)
    assert report["dropped"]["duplicate"]["examples"][0]["file"] == "raw/c.parquet"


def test_max_rows_reads_no_more() -> None:
    write_lines(Path("data.jsonl"), pairs(90))
    assert run_prepare("data.jsonl", max_rows=60)["num_rows_in"] == 60


def test_rows_that_the_chat_template_refuses_are_malformed() -> None:
    template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "{% for message in messages %}{{ message['content'] }}<|im_end|>{% endfor %}"
    )
    Path("data/models/base/tokenizer.json").unlink()
    for path in Path("data/models/base").iterdir():
        path.unlink()
    Path("data/models/base").rmdir()
    write_tokenizer(template)
    rows: list[dict[str, Any]] = [{**pair, "system": ""} for pair in pairs(60)]
    rows[5]["system"] = "be brief"
    write_lines(Path("data.jsonl"), rows)
    report = run_prepare("data.jsonl", columns={"system": "system"})
    assert report["num_rows"] == 59
    (example,) = report["dropped"]["refused_by_chat_template"]["examples"]
    assert example["line"] == 6
    assert "no system role" in example["detail"]
    with pytest.raises(StageError, match="no system role"):
        run_prepare("data.jsonl", columns={"system": "system"}, max_bad_fraction=0.0)


def test_the_starter_task_needs_no_file() -> None:
    report = run_prepare("starter", num_rows=200, seed=3)
    assert (report["num_rows"], report["format"], report["files"]) == (200, "prompt_completion", [])
    assert len(report["categories"]) > 3
    assert sum(sum(counts.values()) for counts in report["categories"].values()) == 200
    assert set(all_rows().get_column("category")) == set(report["categories"])


def test_the_record_and_the_series_tell_the_progress() -> None:
    write_lines(Path("data.jsonl"), pairs(600))
    run_prepare("data.jsonl", seed=7)
    directory = paths.metrics_dir("prepare")
    record = decode_run_record((directory / paths.RUN_RECORD_NAME).read_bytes())
    assert record is not None
    assert (record.status, record.num_steps, record.step, record.seed) == ("done", 600, 600, 7)
    steps = [point["step"] for point in decode_points((directory / paths.SERIES_NAME).read_bytes())]
    assert steps == [0, 256, 512, 600, 600]


def test_a_failure_leaves_the_files_that_were_there(capsys: pytest.CaptureFixture[str]) -> None:
    run_prepare(write_lines(Path("data.jsonl"), pairs(60)))
    before = {path: path.read_bytes() for path in paths.PREPARED_DATA.iterdir()}
    write_lines(Path("data.jsonl"), pairs(2))
    with pytest.raises(StageError, match="2 distinct prompts"):
        prepare.run(prepare_params("data.jsonl"))
    assert {path: path.read_bytes() for path in paths.PREPARED_DATA.iterdir()} == before
    record = json.loads((paths.metrics_dir("prepare") / paths.RUN_RECORD_NAME).read_bytes())
    assert record["status"] == "failed"
    assert "2 distinct prompts" in record["error"]


def test_limits_that_leave_nothing_say_so() -> None:
    write_lines(Path("data.jsonl"), pairs(60))
    with pytest.raises(
        StageError, match=r"no row is left \(dropped: too_long 60\); prepare\.max_tokens is 10, raise it"
    ):
        run_prepare("data.jsonl", max_tokens=10)
    write_lines(Path("data.jsonl"), [{"prompt": "", "completion": "b"}] * 3)
    with pytest.raises(StageError, match=r"no row is left \(dropped: empty_prompt 3\)$"):
        run_prepare("data.jsonl", max_bad_fraction=1.0)


def test_a_tokenizer_without_a_chat_template_is_refused() -> None:
    path = Path("data/models/base/tokenizer_config.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": None}))
    write_lines(Path("data.jsonl"), pairs(60))
    with pytest.raises(StageError, match=r"has no chat template; set base\.chat_template"):
        run_prepare("data.jsonl")


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the real data sets are not here")
class TestRealData:
    """Data sets that lie beside the repository on some machines."""

    def test_gsm8k_by_named_columns(self) -> None:
        columns = {"prompt": "question", "completion": "answer"}
        report = run_prepare(SHARED_DATA / "gsm8k_train.jsonl", format="columns", columns=columns, max_tokens=None)
        assert (report["num_rows"], report["num_bad"], report["format"]) == (7473, 0, "columns")
        assert all_rows().get_column("completion").str.contains("#### ").all()

    def test_nl2bash_as_it_is(self) -> None:
        report = run_prepare(SHARED_DATA / "nl2bash.jsonl", max_tokens=None)
        assert (report["num_rows_in"], report["num_bad"], report["format"]) == (12607, 0, "alpaca")
        assert report["num_prompts"] < report["num_rows"]
