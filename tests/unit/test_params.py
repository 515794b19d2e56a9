"""params.yaml: everything that is wrong is said at once, with file, key, value and what is allowed."""

from copy import deepcopy
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


def nested(section: str, value: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Params with a section's values, beside other ones."""
    result: dict[str, Any] = deepcopy(others)
    place = result
    for name in section.split("."):
        place = place.setdefault(name, {})
    place.update(value)
    return result


TEACHER = {"source": "starter"}
BROKEN: list[tuple[str, str, dict[str, Any]]] = [
    ("base.revision", "only a hub id", {"base": {"revision": "main"}}),
    ("base.starter.num_heads", "must divide", {"base": {"starter": {"num_heads": 3, "num_kv_heads": 1}}}),
    ("base.starter.num_heads", "must be even", {"base": {"starter": {"hidden_size": 36}}}),
    ("base.starter.num_kv_heads", "must divide", {"base": {"starter": {"num_kv_heads": 3}}}),
    ("teacher.starter.num_heads", "must divide", {"teacher": {"starter": {"num_heads": 3, "num_kv_heads": 1}}}),
    ("teacher.starter.num_heads", "must be even", {"teacher": {"starter": {"hidden_size": 36}}}),
    ("teacher.starter.num_kv_heads", "must divide", {"teacher": {"starter": {"num_kv_heads": 3}}}),
    ("teacher.revision", "only a hub id", {"teacher": {"revision": "main"}}),
    ("prepare.test_fraction", "below 1", {"prepare": {"validation_fraction": 0.5, "test_fraction": 0.5}}),
    ("prepare.columns.prompt", "name", {"prepare": {"format": "columns", "columns": {"completion": "answer"}}}),
    ("prepare.columns.completion", "name", {"prepare": {"format": "columns", "columns": {"prompt": "question"}}}),
    (
        "prepare.columns",
        "read only",
        {"prepare": {"format": "alpaca", "columns": {"prompt": "question", "completion": "answer"}}},
    ),
    *(
        case
        for peft in ("prompt_tuning", "prefix_tuning", "p_tuning")
        for case in (
            ("train.packing", "soft prompt", {"train": {"peft": peft, "packing": True}}),
            ("teacher.train.packing", "soft", {"teacher": TEACHER | {"train": {"peft": peft, "packing": True}}}),
            ("align.peft", "set it to continue", {"train": {"peft": peft}, "align": {"objective": "dpo"}}),
            ("reward.objective", "soft prompt", {"train": {"peft": peft}, "reward": {"objective": "bradley_terry"}}),
        )
    ),
    (
        "train.gradient_checkpointing",
        "recomputed",
        {"train": {"peft": "prefix_tuning", "gradient_checkpointing": True}},
    ),
    (
        "teacher.train.gradient_checkpointing",
        "recomputed",
        {"teacher": TEACHER | {"train": {"peft": "prefix_tuning", "gradient_checkpointing": True}}},
    ),
    (
        "train.prompt_tuning.init_text",
        "give the text",
        {"train": {"peft": "prompt_tuning", "prompt_tuning": {"init": "text"}}},
    ),
    (
        "teacher.train.prompt_tuning.init_text",
        "give the text",
        {"teacher": TEACHER | {"train": {"peft": "prompt_tuning", "prompt_tuning": {"init": "text"}}}},
    ),
    ("train.p_tuning.num_layers", "always 2", {"train": {"peft": "p_tuning", "p_tuning": {"num_layers": 3}}}),
    (
        "teacher.train.p_tuning.num_layers",
        "always 2",
        {"teacher": TEACHER | {"train": {"peft": "p_tuning", "p_tuning": {"num_layers": 3}}}},
    ),
    *(
        (f"{section}.{key}", text, nested(section, lora, **others))
        for section, others in (
            ("train.lora", {}),
            ("teacher.train.lora", {"teacher": TEACHER | {"train": {"peft": "lora"}}}),
            ("align.lora", {"align": {"objective": "dpo"}}),
            ("reward.lora", {"reward": {"objective": "likelihood"}}),
        )
        for key, text, lora in (
            ("target_modules", "leave lm_head out", {"target_modules": ["q_proj", "lm_head"]}),
            ("r", "take an even one", {"init": "orthogonal", "r": 3}),
            ("init", "in another way", {"init": "pissa", "dora": True}),
            ("init", "set dropout to 0", {"init": "olora", "dropout": 0.1}),
        )
    ),
    ("train.lora.init", "4 bits", {"train": {"lora": {"init": "pissa", "quantization": "nf4"}}}),
    (
        "teacher.train.lora.init",
        "4 bits",
        {"teacher": TEACHER | {"train": {"peft": "lora", "lora": {"init": "pissa", "quantization": "nf4"}}}},
    ),
    ("reward.lora.quantization", "set it to none", {"reward": {"lora": {"quantization": "nf4"}}}),
    ("align.lora.quantization", "set it to none", {"align": {"lora": {"quantization": "nf4"}}}),
    *(
        case
        for section in ("teacher.train", "train", "reward", "align")
        for case in (
            (
                f"{section}.watch.early_stopping_patience",
                "could never stop",
                nested(
                    section,
                    {
                        "eval_fraction": 0.25,
                        "watch": {"early_stopping_metric": "validation/loss", "early_stopping_patience": 4},
                    },
                ),
            ),
        )
    ),
    *(
        (f"{section}.sharding", "number of GPUs", nested(section, {"sharding": "fsdp2"}))
        for section in ("train", "reward", "align")
    ),
    ("teacher.train.num_processes", "set it to 1", {"teacher": {"train": {"num_processes": 2}}}),
    (
        "train.sharding",
        "wait for the longest",
        {
            "teacher": TEACHER,
            "train": {
                "objective": "distill",
                "max_rows": 8,
                "distill": {"level": "on_policy"},
                "num_processes": 2,
                "sharding": "fsdp2",
            },
        },
    ),
    (
        "reward.sharding",
        "put back",
        {"reward": {"objective": "bradley_terry", "num_processes": 2, "sharding": "fsdp2"}},
    ),
    (
        "train.merge.adapters",
        "at least two",
        {"train": {"objective": "merge", "merge": {"adapters": [{"path": "a", "weight": 1.0}]}}},
    ),
    ("train.objective", "needs a teacher", {"train": {"objective": "distill"}}),
    ("train.objective", "needs a teacher", {"train": {"objective": "teacher"}}),
    (
        "train.max_rows",
        "number of rows",
        {"teacher": TEACHER, "train": {"objective": "distill", "distill": {"level": "sequence"}}},
    ),
    (
        "train.distill.level",
        "different tokenizers",
        {"teacher": TEACHER | {"seed": 1}, "train": {"objective": "distill"}},
    ),
    (
        "train.packing",
        "kept by row",
        {"teacher": TEACHER, "train": {"objective": "distill", "packing": True}},
    ),
    (
        "prepare.preferences.source",
        "name a file",
        {"prepare": {"preferences": {"source": "none"}}, "align": {"objective": "kto"}},
    ),
    (
        "prepare.preferences.format",
        "come alone",
        {"prepare": {"preferences": {"format": "rated"}}, "reward": {"objective": "likelihood"}},
    ),
    (
        "align.peft",
        "ends in a soft prompt",
        {
            "teacher": TEACHER | {"train": {"peft": "p_tuning"}},
            "train": {"objective": "teacher"},
            "align": {"objective": "dpo"},
        },
    ),
    ("align.peft", "no adapter", {"train": {"peft": "none"}, "align": {"objective": "kto", "peft": "continue"}}),
    (
        "align.gradient_checkpointing",
        "has a prefix",
        {
            "train": {"peft": "prefix_tuning"},
            "align": {"objective": "dpo", "peft": "continue", "gradient_checkpointing": True},
        },
    ),
    ("align.lora.dropout", "set it to 0", {"align": {"objective": "dpo", "lora": {"dropout": 0.1}}}),
    ("align.batch_size", "set it to 2 or more", {"align": {"objective": "kto", "batch_size": 1}}),
    ("align.dpo.label_smoothing", "exo_pair", {"align": {"objective": "dpo", "dpo": {"loss": ["exo_pair"]}}}),
    (
        "align.sharding",
        "wait for the longest",
        {
            "align": {
                "objective": "rloo",
                "sharding": "fsdp2",
                "num_processes": 2,
                "rollout": {"num_generations": 4},
                "rewards": {"chrf": 1.0},
            }
        },
    ),
    ("align.beta", "nothing would be learned", {"align": {"objective": "dpo", "beta": 0.0}}),
    ("align.dpo.loss_weights", "one weight for each", {"align": {"dpo": {"loss_weights": [1.0, 2.0]}}}),
    (
        "align.rollout.num_generations",
        "must divide",
        {"align": {"objective": "grpo", "rollout": {"num_generations": 6}, "rewards": {"exact_match": 1.0}}},
    ),
    ("align.rewards", "every weight is 0", {"align": {"objective": "rloo"}}),
    (
        "align.rewards.reward_model",
        "bradley_terry",
        {"align": {"objective": "rloo", "rewards": {"reward_model": 1.0}}},
    ),
    ("align.rewards.format_pattern", "give the pattern", {"align": {"rewards": {"format": 1.0}}}),
    ("align.rewards.format_pattern", "not a regular", {"align": {"rewards": {"format_pattern": "("}}}),
]


@pytest.mark.parametrize(("key", "text", "value"), BROKEN, ids=lambda part: part if isinstance(part, str) else "")
def test_every_impossible_combination_is_refused(key: str, text: str, value: Any) -> None:
    found = problems(value)
    assert {problem.key for problem in found} == {key}
    assert any(text in problem.allowed for problem in found)


def test_every_rule_has_its_case() -> None:
    broken = {rule.allowed for _, _, value in BROKEN for rule in RULES if rule.broken(Params.model_validate(value))}
    assert {rule.allowed for rule in RULES} == broken


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
