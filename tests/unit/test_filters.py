"""The filter language."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.experiments import Experiment
from tui.core.filters import parse_filter


def experiment(name: str = "owl", status: Any = "done", **more: Any) -> Experiment:
    params = {
        "params.yaml": {
            "train": {"peft": "lora", "objective": "sft", "lr": 2e-4, "lora": {"r": 16}},
            "seed": 0,
            "note": None,
        }
    }
    metrics = {"m.json": {"test/exact_match": 0.91, "num": 12_000, "flag": True}}
    return Experiment(
        "a" * 40, "experiment", name, "b" * 40, status=status, **{"params": params, "metrics": metrics, **more}
    )


OWL = experiment()
ELK = experiment("cold-elk", "failed", params={"params.yaml": {"train": {"lr": 1e-2}}}, metrics={}, error="loss NaN")
ROWS = [OWL, ELK]


def names(text: str) -> list[str | None]:
    found = parse_filter(text, ROWS)
    assert found.error == ""
    return [row.name for row in ROWS if found.matches(row)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["owl", "cold-elk"]),
        ("  |  ", ["owl", "cold-elk"]),
        ("owl", ["owl"]),
        ("OW", ["owl"]),
        ("lora", ["owl"]),
        ("failed", ["cold-elk"]),
        ("aaaa", ["owl", "cold-elk"]),
        ("-failed", ["owl"]),
        ("owl | elk", ["owl", "cold-elk"]),
        ("owl elk", []),
        ("train.lr=2e-4", ["owl"]),
        ("lr=0.0002", ["owl"]),
        ("lr>1e-3", ["cold-elk"]),
        ("lr>=0.01 lr<=0.01", ["cold-elk"]),
        ("lr<1", ["owl", "cold-elk"]),
        ("r!=8", ["owl"]),
        ("r!=16", []),
        ("-r=16", ["cold-elk"]),
        ("exact_match>0.9", ["owl"]),
        ("num>=12k num<1M", ["owl"]),
        ("flag=true", ["owl"]),
        ("flag=1", []),
        ("note=null", ["owl"]),
        ("has:note", []),
        ("has:seed", ["owl"]),
        ("-has:exact_match", ["cold-elk"]),
        ("error:nan", ["cold-elk"]),
        ("status=failed", ["cold-elk"]),
        ("name=*elk", ["cold-elk"]),
        ("name:-", ["cold-elk"]),
        ('error:"loss nan"', ["cold-elk"]),
        ('error="loss nan" | method=lora', ["owl", "cold-elk"]),
    ],
)
def test_what_a_filter_lets_through(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nosuch=1", "no param or metric 'nosuch'"),
        ("lr>fast", "'>' needs a number, not 'fast'"),
        ("has:", "no param or metric ''"),
    ],
)
def test_what_is_not_understood_is_told_and_hides_nothing(text: str, said: str) -> None:
    found = parse_filter(text, ROWS)
    assert said in found.error
    assert all(map(found.matches, ROWS))


def test_a_name_that_several_keys_end_in_is_refused_with_the_candidates() -> None:
    row = experiment(params={"params.yaml": {"a": {"seed": 1}, "b": {"seed": 2}}})
    assert parse_filter("seed=1", [row]).error == "'seed' may be a.seed, b.seed"
    assert parse_filter("a.seed=1", [row]).matches(row)


def test_a_key_in_two_files_is_told_apart_by_file() -> None:
    row = experiment(metrics={"x/m.json": {"n": 1}, "y/m.json": {"n": 2}})
    found = parse_filter("y/m.json:n=2", [row])
    assert found.error == ""
    assert found.matches(row)
    assert not parse_filter("x/m.json:n=2", [row]).matches(row)


FRAGMENTS = st.sampled_from(
    ["-", "|", "=", ":", "!=", ">=", "<", '"', "has:", "lr", "name", "1e5", "\n", "\0", "[", "*", "ß", " "]
)


@given(st.lists(FRAGMENTS | st.text(max_size=4)).map("".join))
def test_no_text_makes_it_raise(text: str) -> None:
    found = parse_filter(text, ROWS)
    assert [found.matches(row) in {True, False} for row in ROWS] == [True, True]
    assert isinstance(found.error, str)


def test_the_title_of_a_column_stands_for_its_param() -> None:
    params = {"params.yaml": {"train": {"batch_size": 4}, "evaluate": {"batch_size": 8}}}
    rows = [experiment("small", params=params), OWL]
    found = parse_filter("batch_size=4", rows)
    assert found.error == ""
    assert [row.name for row in rows if found.matches(row)] == ["small"]
