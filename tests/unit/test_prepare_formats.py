"""Layouts of rows: what each becomes, and which one is chosen."""

from typing import Any

import pytest
from prepare_project import prepare_params

from pipeline.contract.problems import StageError
from pipeline.data.cleaning import clean_row
from pipeline.data.detection import choose_format
from pipeline.data.rows import RawRow, Row, RowProblem

USER = {"role": "user", "content": "list the files"}
ASSISTANT = {"role": "assistant", "content": "ls"}
SYSTEM = {"role": "system", "content": "Answer with a command."}


def raw(*rows: dict[str, Any]) -> list[RawRow]:
    return [RawRow("data.jsonl", number, row) for number, row in enumerate(rows, 1)]


def read_one(row: dict[str, Any], **section: Any) -> tuple[str, Row]:
    prepare = prepare_params("data.jsonl", **section).prepare
    rows = raw(row)
    layout = choose_format(rows, prepare)
    return layout.name, clean_row(rows[0], layout, prepare.columns)


LAYOUTS: dict[str, tuple[dict[str, Any], str, list[dict[str, str]]]] = {
    "messages": ({"messages": [USER, ASSISTANT]}, "messages", [USER]),
    "messages with system": ({"messages": [SYSTEM, USER, ASSISTANT]}, "messages", [SYSTEM, USER]),
    "messages with an empty system": (
        {"messages": [{"role": "system", "content": " "}, USER, ASSISTANT]},
        "messages",
        [USER],
    ),
    "several turns": ({"messages": [USER, ASSISTANT, USER, ASSISTANT]}, "messages", [USER, ASSISTANT, USER]),
    "sharegpt": (
        {
            "conversations": [
                {"from": "system", "value": SYSTEM["content"]},
                {"from": "human", "value": USER["content"]},
                {"from": "gpt", "value": "ls"},
            ]
        },
        "sharegpt",
        [SYSTEM, USER],
    ),
    "prompt and completion": ({"prompt": "list the files", "completion": "ls"}, "prompt_completion", [USER]),
    "prompt and completion as messages": (
        {"prompt": [SYSTEM, USER], "completion": [ASSISTANT]},
        "prompt_completion",
        [SYSTEM, USER],
    ),
    "alpaca": ({"instruction": "list the files", "output": "ls"}, "alpaca", [USER]),
    "alpaca with an empty input": ({"instruction": "list the files", "input": "", "output": "ls"}, "alpaca", [USER]),
    "alpaca with input": (
        {"instruction": "list", "input": "the files", "output": "ls"},
        "alpaca",
        [{"role": "user", "content": "list\n\nthe files"}],
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_is_detected_and_read(name: str) -> None:
    row, layout, prompt = LAYOUTS[name]
    found, clean = read_one(row)
    assert (found, clean.prompt, clean.completion) == (layout, prompt, "ls")
    assert read_one(row, format=layout)[1] == clean


def test_named_columns_are_read_by_columns_and_by_auto() -> None:
    row = {"q": "list the files", "a": "ls", "s": SYSTEM["content"], "kind": "files"}
    columns = {"prompt": "q", "completion": "a", "system": "s", "category": "kind"}
    expected = Row("data.jsonl", 1, "files", [SYSTEM, USER], "ls")
    assert read_one(row, format="columns", columns=columns) == ("columns", expected)
    assert read_one(row, columns=columns) == ("columns", expected)


def test_named_columns_go_before_a_known_format() -> None:
    row = {"prompt": "other", "completion": "other", "q": "list the files", "a": "ls"}
    name, clean = read_one(row, columns={"prompt": "q", "completion": "a"})
    assert (name, clean.prompt) == ("columns", [USER])


@pytest.mark.parametrize(("value", "category"), [("files ", "files"), (3, "3"), (None, "")])
def test_a_column_named_category_is_read(value: object, category: str) -> None:
    assert read_one({"instruction": "list the files", "output": "ls", "category": value})[1].category == category


def test_auto_takes_the_layout_that_fits_most_rows() -> None:
    alpaca = {"instruction": "a", "output": "b"}
    rows = raw({"messages": [USER, ASSISTANT]}, alpaca, alpaca)
    assert choose_format(rows, prepare_params("data.jsonl").prepare).name == "alpaca"


def test_columns_that_fit_nothing_are_listed_with_the_way_out() -> None:
    rows = raw({"question": "a", "answer": "b", "evil\x1b[2J": ""})
    with pytest.raises(StageError) as caught:
        choose_format(rows, prepare_params("data.jsonl").prepare)
    text = str(caught.value)
    for part in ("answer, evil\\x1b[2J, question", "alpaca (instruction, output)", "prepare.columns.prompt: <column>"):
        assert part in text


def test_a_named_column_that_is_absent_is_refused() -> None:
    prepare = prepare_params("data.jsonl", columns={"prompt": "q", "completion": "a"}).prepare
    with pytest.raises(StageError, match=r"prepare\.columns\.completion is 'a': no such column.*found: b, q"):
        choose_format(raw({"q": "", "b": ""}), prepare)


def test_a_format_whose_columns_are_absent_is_refused() -> None:
    prepare = prepare_params("data.jsonl", format="alpaca").prepare
    with pytest.raises(StageError, match=r"prepare\.format is 'alpaca', which needs instruction and output"):
        choose_format(raw({"prompt": "", "completion": ""}), prepare)


PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "null completion": ({"prompt": "a", "completion": None}, "not_text"),
    "number as prompt": ({"prompt": 3, "completion": "b"}, "not_text"),
    "no completion": ({"prompt": "a"}, "missing_column"),
    "empty prompt": ({"prompt": "\u0000 \r\n", "completion": "b"}, "empty_prompt"),
    "empty completion": ({"prompt": "a", "completion": "\t"}, "empty_completion"),
    "lone surrogate": ({"prompt": "a\ud800", "completion": "b"}, "not_utf8"),
    "messages as text": ({"messages": "[]"}, "not_messages"),
    "message as text": ({"messages": ["hello"]}, "not_messages"),
    "no messages": ({"messages": []}, "wrong_roles"),
    "starts with the assistant": ({"messages": [ASSISTANT]}, "wrong_roles"),
    "ends with the user": ({"messages": [USER]}, "wrong_roles"),
    "user after user": ({"messages": [USER, USER, ASSISTANT]}, "wrong_roles"),
    "system in the middle": ({"messages": [USER, SYSTEM, ASSISTANT]}, "wrong_roles"),
    "only a system message": ({"messages": [{"role": "system", "content": ""}]}, "wrong_roles"),
    "role of a tool": ({"messages": [USER, {"role": "tool", "content": "x"}]}, "unknown_role"),
    "role that is a list": ({"messages": [{"role": [], "content": "x"}]}, "unknown_role"),
    "content in parts": ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "not_text"),
    "empty turn": ({"messages": [{"role": "user", "content": ""}, ASSISTANT]}, "empty_prompt"),
    "category that is a list": ({"prompt": "a", "completion": "b", "category": ["x"]}, "not_text"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_row_in_disorder_is_refused_with_its_reason(name: str) -> None:
    row, reason = PROBLEMS[name]
    layout = "messages" if "messages" in row else "prompt_completion"
    prepare = prepare_params("data.jsonl", format=layout).prepare
    whole = {"messages": [], "prompt": "", "completion": ""}
    chosen = choose_format(raw(whole), prepare)
    with pytest.raises(RowProblem) as caught:
        clean_row(raw(row)[0], chosen, prepare.columns)
    assert caught.value.reason == reason
    assert caught.value.detail
