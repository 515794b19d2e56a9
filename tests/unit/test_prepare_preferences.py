"""Comparisons of answers on their way through prepare: layouts, bad rows, splits, files."""

import doctest
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from prepare_project import pairs, prepare_params, read_split, run_prepare, write_lines, write_tokenizer

from pipeline.contract import paths
from pipeline.contract.params import Columns
from pipeline.contract.problems import StageError
from pipeline.data import comparison_rows
from pipeline.data.comparison_rows import Layout, clean_comparison
from pipeline.data.rows import RawRow, RowProblem
from pipeline.data.splitting import SPLITS
from pipeline.stages import prepare

SCHEMA = {
    "id": pl.String(),
    "category": pl.String(),
    "prompt": pl.List(pl.Struct({"role": pl.String(), "content": pl.String()})),
    "chosen": pl.String(),
    "rejected": pl.String(),
    "completion": pl.String(),
    "label": pl.Boolean(),
    "num_tokens": pl.Int64(),
}
ASK = [{"role": "user", "content": "say hi"}]
SYSTEM = {"role": "system", "content": "be brief"}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_tokenizer()
    return tmp_path


def compared(count: int) -> list[dict[str, Any]]:
    return [{"prompt": f"say {i}", "chosen": f"echo {i}", "rejected": f"say {i}"} for i in range(count)]


def run(rows: list[dict[str, Any]], **preferences: Any) -> dict[str, Any]:
    """Run the stage on 60 plain rows and these comparisons; gives what the report says of them."""
    write_lines(Path("data.jsonl"), pairs(60))
    write_lines(Path("preferences.jsonl"), rows)
    section = {"source": "preferences.jsonl", **preferences}
    report: dict[str, Any] = run_prepare("data.jsonl", preferences=section)["preferences"]
    return report


def read(split: str) -> pl.DataFrame:
    return pl.read_parquet(paths.preferences_file(split))


def read_all() -> pl.DataFrame:
    return pl.concat([read(split) for split in SPLITS])


def prompts(table: pl.DataFrame) -> set[str]:
    return {json.dumps(prompt) for prompt in table.get_column("prompt").to_list()}


def cleaned(layout: Layout, **row: Any) -> tuple[Any, ...]:
    found = clean_comparison(RawRow("file", 1, row), layout, Columns())
    return found.prompt, found.chosen, found.rejected, found.completion, found.label


def turn(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": " say hi\r\n", "chosen": "hi", "rejected": "no"},
        {"prompt": ASK, "chosen": [turn("hi")], "rejected": [turn("no")]},
        {"prompt": ASK, "chosen": turn("hi"), "rejected": turn("no")},
        {"prompt": "say hi", "chosen": [*ASK, turn("hi")], "rejected": [*ASK, turn("no")]},
        {"prompt": None, "chosen": [*ASK, turn("hi")], "rejected": [*ASK, turn("no")]},
        {"chosen": "\n\nHuman: say hi\n\nAssistant: hi", "rejected": "\n\nHuman: say hi\n\nAssistant: no"},
        {"prompt": "\n\nHuman: say hi\n\nAssistant:", "chosen": " hi", "rejected": " no"},
        {"prompt": [{"from": "human", "value": "say hi"}], "chosen": "hi", "rejected": "no"},
    ],
)
def test_a_pair_is_the_same_in_every_layout(row: dict[str, Any]) -> None:
    assert cleaned("pairs", **row) == (ASK, "hi", "no", None, None)


def test_a_conversation_of_several_turns_is_the_prompt() -> None:
    text = "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: "
    expected = [{"role": "user", "content": "a"}, turn("b"), {"role": "user", "content": "c"}]
    assert cleaned("pairs", chosen=text + "good", rejected=text + "bad") == (expected, "good", "bad", None, None)


def test_a_system_message_of_the_whole_conversation_is_kept() -> None:
    whole = [SYSTEM, *ASK]
    row = {"prompt": "say hi", "chosen": [*whole, turn("hi")], "rejected": [*whole, turn("no")]}
    assert cleaned("pairs", **row)[0] == whole


def test_an_answer_that_begins_as_its_prompt_is_whole() -> None:
    assert cleaned("pairs", prompt="ls", chosen="ls -a", rejected="ls -l")[1:3] == ("ls -a", "ls -l")


@pytest.mark.parametrize(
    ("value", "label"),
    [(True, True), (False, False), (1, True), (0.0, False), ("Good", True), (" bad ", False), ("true", True)],
)
def test_a_label_is_read_in_every_spelling(value: object, label: bool) -> None:
    row = {"prompt": "say hi", "completion": "hi", "label": value}
    assert cleaned("rated", **row) == (ASK, None, None, "hi", label)


@pytest.mark.parametrize(
    ("layout", "row", "reason"),
    [
        ("pairs", {"prompt": "a", "chosen": "b", "rejected": " b\n"}, "tie"),
        ("pairs", {"prompt": "a", "chosen": "b"}, "missing_column"),
        ("pairs", {"chosen": "b", "rejected": "c"}, "missing_column"),
        ("pairs", {"prompt": "a", "chosen": 3, "rejected": "c"}, "not_text"),
        ("pairs", {"prompt": "a", "chosen": "", "rejected": "c"}, "empty_completion"),
        ("pairs", {"prompt": " ", "chosen": "b", "rejected": "c"}, "empty_prompt"),
        ("pairs", {"prompt": "a", "chosen": [*ASK, turn("b")], "rejected": "c"}, "different_prompts"),
        (
            "pairs",
            {"chosen": [*ASK, turn("b")], "rejected": [{"role": "user", "content": "x"}, turn("c")]},
            "different_prompts",
        ),
        ("pairs", {"prompt": "a", "chosen": [*ASK, turn("b")], "rejected": [*ASK, turn("c")]}, "different_prompts"),
        ("pairs", {"prompt": "a", "chosen": [], "rejected": "c"}, "wrong_roles"),
        ("pairs", {"prompt": [*ASK, turn("b")], "chosen": "b", "rejected": "c"}, "wrong_roles"),
        ("pairs", {"chosen": ASK, "rejected": ASK}, "missing_column"),
        ("rated", {"prompt": "a", "completion": "b", "label": "maybe"}, "unknown_label"),
        ("rated", {"prompt": "a", "completion": "b", "label": 2}, "unknown_label"),
        ("rated", {"prompt": "a", "completion": "b", "label": None}, "unknown_label"),
    ],
)
def test_a_row_that_is_no_comparison_says_why(layout: Layout, row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowProblem) as caught:
        cleaned(layout, **row)
    assert caught.value.reason == reason


def test_the_examples_in_the_code_hold() -> None:
    assert doctest.testmod(comparison_rows) == (0, 2)


def test_comparisons_go_where_the_rows_with_their_prompt_go() -> None:
    report = run(compared(60))
    for split in SPLITS:
        table = read(split)
        assert dict(table.schema) == SCHEMA
        assert table.get_column("id").is_sorted()
        assert prompts(table) == prompts(read_split(split)) != set()
        assert table.height == report["splits"][split]["num_rows"]
    assert (report["format"], report["num_rows"], report["num_prompts"]) == ("pairs", 60, 60)
    row = read_all().filter(pl.col("chosen") == "echo 7").row(0, named=True)
    assert row["rejected"] == "say 7"
    assert (row["completion"], row["label"]) == (None, None)
    # Each character is a token, as are the marks around the two turns; the longer answer counts.
    assert row["num_tokens"] == len("user\nsay 7\nassistant\necho 7\n") + 4


def test_the_report_accounts_for_every_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        *compared(60),
        {"prompt": "say 3", "chosen": "echo 3 ", "rejected": "say 3"},
        {"prompt": "say 4", "chosen": "x", "rejected": "x"},
        {"prompt": "long", "chosen": "x", "rejected": "y" * 600},
        {"prompt": "say 5", "chosen": "x"},
    ]
    report = run(rows)
    assert (report["num_rows_in"], report["num_rows"], report["num_dropped"]) == (64, 60, 4)
    places = {reason: (entry["count"], entry["examples"][0]["line"]) for reason, entry in report["dropped"].items()}
    assert places == {"duplicate": (1, 61), "tie": (1, 62), "too_long": (1, 63), "missing_column": (1, 64)}
    assert "prepare: preferences.jsonl:64: missing_column: has no rejected" in capsys.readouterr().err
    metrics = json.loads((paths.metrics_dir("prepare") / paths.METRICS_NAME).read_bytes())
    figures = {name.partition("/")[2]: value for name, value in metrics.items() if name.startswith("preferences/")}
    assert (figures["num_rows"], figures["num_ties"], figures["num_bad"]) == (60, 1, 1)
    assert sum(figures[f"num_{split}"] for split in SPLITS) == 60


def test_rated_answers_keep_their_labels() -> None:
    rows = [{"prompt": f"say {i}", "completion": f"echo {i}", "label": i % 3 == 0, "category": "x"} for i in range(60)]
    report = run(rows)
    table = read_all()
    assert (report["format"], report["num_good"]) == ("rated", 20)
    assert set(table.get_column("category")) == {"x"}
    assert table.get_column("chosen").null_count() == table.height == 60
    expected = {(row["completion"], row["label"]) for row in rows}
    assert set(table.select("completion", "label").iter_rows()) == expected


def test_the_starter_has_a_pair_for_every_row() -> None:
    report = run_prepare("starter", num_rows=200)
    assert report["preferences"]["num_rows"] == 200
    for split in SPLITS:
        rows, found = read_split(split), read(split)
        assert prompts(rows) == prompts(found)
        assert set(rows.get_column("completion")) == set(found.get_column("chosen"))
        assert (found.get_column("chosen") != found.get_column("rejected")).all()
        assert set(found.get_column("category")) == set(rows.get_column("category"))


def test_rows_that_are_comparisons_themselves_are_used_as_such() -> None:
    rows = [{"question": row["prompt"], "chosen": row["chosen"], "rejected": row["rejected"]} for row in compared(60)]
    rows[7].pop("rejected")
    write_lines(Path("data.jsonl"), rows)
    report = run_prepare("data.jsonl", columns={"prompt": "question", "completion": "chosen"}, max_tokens=None)
    assert (report["num_rows"], report["preferences"]["num_rows"], report["preferences"]["num_bad"]) == (60, 59, 0)
    assert prompts(read("test")) <= prompts(read_split("test"))


def test_without_comparisons_there_are_no_files() -> None:
    run(compared(60))
    assert run_prepare("data.jsonl")["preferences"] is None
    assert run_prepare("starter", num_rows=200, preferences={"source": "none"})["preferences"] is None
    assert not list(paths.PREPARED_DATA.glob("preferences-*"))
    assert "preferences" not in (paths.metrics_dir("prepare") / paths.METRICS_NAME).read_text()


def test_equal_comparisons_give_equal_files() -> None:
    def contents(rows: list[dict[str, Any]]) -> list[bytes]:
        run(rows)
        return [paths.preferences_file(split).read_bytes() for split in SPLITS]

    assert contents(compared(60)) == contents(compared(60)[::-1])


def test_max_rows_reads_no_more() -> None:
    assert run(compared(90), max_rows=60)["num_rows_in"] == 60


def failure(rows: list[dict[str, Any]], **preferences: Any) -> str:
    write_lines(Path("data.jsonl"), pairs(60))
    write_lines(Path("preferences.jsonl"), rows)
    section = {"source": "preferences.jsonl", **preferences}
    with pytest.raises(StageError) as caught:
        prepare.run(prepare_params("data.jsonl", preferences=section))
    assert not paths.PREPARED_DATA.exists()
    return str(caught.value)


def test_a_missing_file_names_the_key() -> None:
    text = failure([], source="none.jsonl")
    assert text.startswith("params.yaml: prepare.preferences.source is 'none.jsonl': no such file or folder")
    assert text.endswith("auto or none")


def test_unknown_columns_are_told() -> None:
    text = failure([{"question": "a", "good": "b"}])
    assert "no row has the columns of pairs (prompt, chosen, rejected); rated (prompt, completion, label)" in text
    assert text.endswith("columns found: good, question")
    assert "is 'rated'" in failure(compared(60), format="rated")


def test_too_many_bad_comparisons_stop_the_stage() -> None:
    text = failure([*compared(60), *[{"chosen": "b", "rejected": "c"}] * 4])
    assert text.startswith("4 of 64 comparisons in preferences.jsonl (6.2%) are malformed")
    assert "preferences.jsonl:61: missing_column: has no prompt" in text


def test_every_split_needs_comparisons() -> None:
    text = failure(compared(2))
    assert text.startswith("2 distinct prompts with comparisons in preferences.jsonl do not fill every split")


def test_limits_that_leave_no_comparison_say_so() -> None:
    text = failure([{"prompt": "a", "chosen": "b" * 600, "rejected": "c"}])
    assert text == (
        "preferences.jsonl: no comparison is left (dropped: too_long 1); prepare.max_tokens is 512, raise it"
    )
