"""params.yaml: everything that is wrong is said at once, with file, key, value and what is allowed."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.loading import check_params, load_params
from pipeline.contract.params import Params
from pipeline.contract.problems import ParamsError, Problem
from pipeline.contract.rules import RULES


def problems(value: Any) -> list[Problem]:
    with pytest.raises(ParamsError) as caught:
        check_params(value)
    return caught.value.problems


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("")
    assert load_params(path) == Params()


def test_all_problems_are_reported_at_once() -> None:
    found = problems({"train": {"batch_size": 0, "peft": "lorra", "lora": {"r": "8"}}, "prepare": {"sources": "x"}})
    assert {problem.key for problem in found} == {
        "train.batch_size",
        "train.peft",
        "train.lora.r",
        "prepare.sources",
    }
    assert all(problem.file == "params.yaml" for problem in found)


def test_broken_rules_are_reported_beside_wrong_values() -> None:
    found = problems(
        {
            "base": {"revision": "main"},
            "train": {"batch_size": 0, "peft": "prompt_tuning", "packing": True, "lora": "none"},
        }
    )
    assert [problem.key for problem in found] == ["train.batch_size", "train.lora", "base.revision", "train.packing"]
    assert [problem.value for problem in found] == [0, "none", "main", True]


@pytest.mark.parametrize(
    "value",
    [
        {"train": {"packing": True, "peft": "promt_tuning"}},
        {"prepare": {"format": "columns", "columns": {"promt": "question", "completion": "answer"}}},
        {"prepare": {"format": "columns", "columns": 3}},
        {"prepare": {"validation_fraction": "0.9", "test_fraction": 0.9}},
        {"train": {"lora": {"target_modules": ["lm_head", 3]}}},
        {"base": {"revision": "main", "sorce": "Qwen/Qwen3-8B"}},
        {"base": {"revision": "main", "source": 8}, "prepare": [], 3: 4},
    ],
    ids=lambda value: ".".join(next(iter(value.items()))[1]),
)
def test_a_rule_about_a_value_that_is_wrong_itself_is_left_out(value: Any) -> None:
    assert {problem.allowed for problem in problems(value)}.isdisjoint({rule.allowed for rule in RULES})


def test_an_unknown_key_names_the_nearest() -> None:
    (problem,) = problems({"train": {"learning_rat": 1.0}})
    assert "did you mean 'learning_rate'" in problem.allowed


def test_a_number_that_yaml_1_1_takes_for_text_says_so(tmp_path: Path) -> None:
    (problem,) = problems({"train": {"learning_rate": "1e-5"}})
    assert "1.0e-05" in problem.allowed
    path = tmp_path / "params.yaml"
    path.write_text("train:\n  learning_rate: 1e-5\n")
    assert load_params(path).train.learning_rate == 1e-5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, True, None])
def test_a_learning_rate_must_be_a_positive_finite_number(value: Any) -> None:
    (problem,) = problems({"train": {"learning_rate": value}})
    assert problem.key == "train.learning_rate"


def test_each_branch_of_a_union_is_one_problem() -> None:
    (problem,) = problems({"train": {"lora": {"target_modules": 3}}})
    assert problem.key == "train.lora.target_modules"
    assert "string or a valid list" in problem.allowed


BROKEN: dict[str, dict[str, Any]] = {
    "base.revision": {"base": {"revision": "main"}},
    "base.starter.num_heads": {"base": {"starter": {"num_heads": 3, "num_kv_heads": 1}}},
    "base.starter.num_kv_heads": {"base": {"starter": {"num_kv_heads": 3}}},
    "prepare.test_fraction": {"prepare": {"validation_fraction": 0.5, "test_fraction": 0.5}},
    "prepare.columns.prompt": {"prepare": {"format": "columns", "columns": {"completion": "answer"}}},
    "prepare.columns.completion": {"prepare": {"format": "columns", "columns": {"prompt": "question"}}},
    "prepare.columns": {"prepare": {"format": "alpaca", "columns": {"prompt": "question", "completion": "answer"}}},
    "train.packing": {"train": {"peft": "prompt_tuning", "packing": True}},
    "train.prompt_tuning.init_text": {"train": {"peft": "prompt_tuning", "prompt_tuning": {"init": "text"}}},
    "train.lora.target_modules": {"train": {"lora": {"target_modules": ["q_proj", "lm_head"]}}},
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.key)
def test_every_impossible_combination_is_refused(rule: Any) -> None:
    found = problems(BROKEN[rule.key])
    assert [problem.key for problem in found] == [rule.key]


def test_every_rule_has_its_case() -> None:
    assert {rule.key for rule in RULES} == set(BROKEN)


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"train: [", "does not parse"), (b"\xff\xfe\xfa", "not UTF-8"), (b"- 1\n", "must be a mapping")],
)
def test_a_file_that_is_no_params_file_is_one_problem(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(ParamsError, match=text):
        load_params(path)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="finetui init"):
        load_params(tmp_path / "params.yaml")
