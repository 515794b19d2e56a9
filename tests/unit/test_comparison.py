"""Comparison, columns and values."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.metrics import direction
from pipeline.contract.params import Params
from tui.core.columns import choose_columns, sort_key
from tui.core.comparison import compare
from tui.core.examples import Evidence, ExampleComparison, Interval, PairedScore, Score
from tui.core.experiments import Experiment, flatten
from tui.core.form import with_overrides
from tui.core.grouping import Group, all_repeats
from tui.core.keys import MISSING, same
from tui.core.methods import NEEDS, applies, method_of
from tui.core.values import format_delta, format_param, format_share, format_value


def experiment(name: str, params: Any = None, metrics: Any = None) -> Experiment:
    return Experiment(
        name * 8, "experiment", name, params={"params.yaml": params or {}}, metrics={"m.json": metrics or {}}
    )


def test_a_change_is_judged_by_the_direction_of_its_metric() -> None:
    base = experiment("a", metrics={"test/loss": 1.0, "test/exact_match": 0.5, "epoch": 1})
    other = experiment("b", metrics={"test/loss": 0.5, "test/exact_match": 0.25, "epoch": 3})
    rows = {row.key: row for row in compare([base, other], base).metrics}
    assert [(cell.delta, cell.verdict) for cell in rows["test/loss"].cells] == [(0, "equal"), (-0.5, "better")]
    assert rows["test/exact_match"].cells[1].verdict == "worse"
    assert (rows["epoch"].cells[1].delta, rows["epoch"].cells[1].verdict) == (2, "none")


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("align/reward_answer", "higher"),
        ("train/reward_std", "none"),
        ("align/rejected_reward", "none"),
        ("eval.wer", "lower"),
        ("eval/accuracy_top5", "higher"),
    ],
)
def test_the_name_of_an_own_reward_does_not_turn_it_round(name: str, way: str) -> None:
    assert direction(name) == way


def test_missing_is_not_zero() -> None:
    base, other = experiment("a", metrics={"loss": 0}), experiment("b")
    (row,) = compare([base, other], base).metrics
    assert row.cells[1].value is MISSING
    assert row.cells[1].delta is None
    assert row.cells[1].verdict == "none"
    assert row.differs


def test_the_baseline_need_not_be_among_the_experiments() -> None:
    result = compare([experiment("b", {"x": 2}, {"acc": 0.5})], experiment("a", {"x": 1}, {"acc": 0.25}))
    assert result.metrics[0].cells[0].delta == 0.25
    assert [row.key for row in result.changed_params] == ["x"]


def test_only_what_differs_is_changed() -> None:
    one = experiment("a", {"same": [1, 2], "lr": 1, "kind": "x", "flag": True, "gone": None})
    two = experiment("b", {"same": [1.0, 2], "lr": 1.0, "kind": 3, "flag": 1})
    result = compare([one, two], one)
    assert [row.key for row in result.params] == ["same", "lr", "kind", "flag", "gone"]
    assert [row.key for row in result.changed_params] == ["kind", "flag", "gone"]
    assert result.params[-1].values == (None, MISSING)


def test_metrics_of_other_types_than_before_are_no_number() -> None:
    base = experiment("a", metrics={"score": "good", "loss": True, "f1": 10**400})
    other = experiment("b", metrics={"score": 1.0, "loss": 1, "f1": 0.5})
    cells = {row.key: row.cells[0] for row in compare([other], base).metrics}
    assert {key: (cell.delta, cell.verdict) for key, cell in cells.items()} == {
        "score": (None, "none"),
        "loss": (None, "none"),
        "f1": (None, "none"),
    }


def test_a_metric_that_two_files_share_is_two_metrics_in_every_row() -> None:
    files = {"train/r.json": {"duration_s": 5}, "eval/r.json": {"duration_s": 2}}
    one = Experiment("a" * 40, "experiment", "a", metrics=files)
    two = Experiment("b" * 40, "experiment", "b", metrics={"eval/r.json": {"duration_s": 1}})
    rows = {row.key: row for row in compare([one, two], one).metrics}
    assert rows.keys() == {"train/r.json:duration_s", "eval/r.json:duration_s"}
    assert rows["eval/r.json:duration_s"].cells[1].delta == -1
    assert rows["train/r.json:duration_s"].cells[1].value is MISSING


@pytest.mark.parametrize(
    ("name", "old", "new", "verdict"),
    [
        ("train/duration_s", 100.0, 104.0, "noise"),
        ("train/duration_s", 100.0, 94.0, "better"),
        ("reward/duration_s", 0.02, 0.9, "noise"),
        ("train/peak_memory_bytes", 10**9, 10**9 + 10**7, "noise"),
        ("train/tokens_per_second", 1000, 1100, "better"),
        ("infer.latency_ms", 10.0, 10.4, "noise"),
        ("gpu_energy_kwh", 1.0, 1.04, "none"),
        ("model/adapter_bytes", 1000, 1001, "worse"),
        ("test/accuracy", 0.5, 0.501, "better"),
        ("test/loss", 0.0, 0.001, "worse"),
    ],
)
def test_resources_differ_by_themselves(name: str, old: float, new: float, verdict: str) -> None:
    one, two = experiment("a", metrics={name: old}), experiment("b", metrics={name: new})
    (row,) = compare([one, two], one).metrics
    assert row.cells[1].verdict == verdict


def test_a_change_is_told_as_a_share_of_the_baseline() -> None:
    one = experiment("a", metrics={"acc": 0.5, "zero": 0, "loss": -2.0})
    two = experiment("b", metrics={"acc": 0.6, "zero": 1, "loss": -1.0})
    rows = {row.key: row.cells[1].relative for row in compare([one, two], one).metrics}
    assert rows == {"acc": pytest.approx(0.2), "zero": None, "loss": pytest.approx(0.5)}


def paired(key: str, delta: float, p_value: float) -> PairedScore:
    return PairedScore(key, 100, 0.5, 0.5 + delta, Interval(delta - 0.1, delta + 0.1), "mcnemar", p_value, 5, 2)


def evidence(*scores: PairedScore, category: tuple[PairedScore, ...] = ()) -> Evidence:
    own = Score("exact_match", 100, 0.5, Interval(0.4, 0.6))
    comparison = ExampleComparison(100, 100, 100, scores=scores, categories={"a.b": category})
    return Evidence(((own,), (own,)), (None, comparison))


def verdict_of(name: str, value: float, found: Evidence) -> str:
    one, two = experiment("a", metrics={name: 0.5}), experiment("b", metrics={name: value})
    return compare([one, two], one, found).metrics[0].cells[1].verdict


def test_what_is_not_significant_over_the_examples_is_neither_better_nor_worse() -> None:
    chance, sure = evidence(paired("exact_match", 0.1, 0.2)), evidence(paired("exact_match", 0.1, 0.001))
    assert verdict_of("test/exact_match", 0.6, chance) == "noise"
    assert verdict_of("test/exact_match", 0.6, sure) == "better"
    assert verdict_of("gain/exact_match", 0.6, chance) == "noise"
    assert verdict_of("test/accuracy", 0.6, chance) == "better"
    assert verdict_of("validation/exact_match", 0.6, chance) == "better"
    assert verdict_of("test/exact_match", 0.5, sure) == "equal"


def test_what_seeds_explain_is_no_news() -> None:
    def made(name: str, lr: int, seed: int, loss: float) -> Experiment:
        return replace(experiment(name, {"lr": lr, "seed": seed}, {"validation/loss": loss}), baseline="0" * 40)

    rows = [made("a", 1, 0, 0.5), made("b", 1, 1, 0.52), made("c", 1, 2, 0.48)]
    near, far = made("d", 2, 0, 0.4), made("e", 3, 0, 0.3)
    repeats = all_repeats([rows[0], near, far], [*rows, near, far])
    assert [len(group.experiments) for group in repeats] == [3]

    def verdicts(groups: list[Group]) -> list[str]:
        return [cell.verdict for cell in compare([rows[0], near, far], rows[0], repeats=groups).metrics[0].cells]

    # two single results differ by 4.303 * sqrt(2) * 0.02 = 0.122 by their seed
    assert verdicts(repeats) == ["equal", "noise", "better"]
    assert verdicts([]) == ["equal", "better", "better"]


def test_a_loss_that_tokens_and_examples_see_differently_is_no_news() -> None:
    assert verdict_of("test/loss", 0.4, evidence(paired("loss", 0.1, 0.001))) == "noise"
    assert verdict_of("test/loss", 0.4, evidence(paired("loss", -0.1, 0.001))) == "better"


def test_a_category_is_judged_by_its_own_examples() -> None:
    few = (paired("exact_match", 0.1, 0.4),)
    assert (
        verdict_of("category.a.b.exact_match", 0.6, evidence(paired("exact_match", 0.1, 0.001), category=few))
        == "noise"
    )
    assert verdict_of("category.c.exact_match", 0.6, evidence(category=few)) == "better"


def test_an_interval_belongs_to_the_mean_over_the_examples_alone() -> None:
    one, two = (experiment(name, metrics={"test/exact_match": value}) for name, value in (("a", 0.5), ("b", 0.6)))
    (row,) = compare([one, two], one, evidence()).metrics
    assert [cell.interval for cell in row.cells] == [Interval(0.4, 0.6), None]


def test_what_an_experiment_lacks_is_told() -> None:
    one, two = experiment("a", metrics={"acc": 1, "loss": 2}), experiment("b", metrics={"acc": 1})
    assert compare([one, two], one).lacking == {"b": ("loss",)}


def test_the_most_telling_metrics_come_first() -> None:
    row = experiment("a", metrics={"zzz": 1, "train/duration_s": 1, "test/loss": 1, "test/exact_match": 1})
    assert [metric.key for metric in compare([row], row).metrics] == [
        "test/exact_match",
        "test/loss",
        "train/duration_s",
        "zzz",
    ]


def train(peft: str, objective: str = "sft", **more: Any) -> dict[str, Any]:
    section = {"objective": objective, "peft": peft, "lora": {"r": 8}, "prompt_tuning": {"num_virtual_tokens": 4}}
    return {"train": {**section, **more}, "seed": 0}


def aligned(objective: str, reward_model: float) -> dict[str, Any]:
    return {**train("lora"), "align": {"objective": objective, "rewards": {"reward_model": reward_model}}}


@pytest.mark.parametrize(
    ("params", "method"),
    [
        (train("lora"), "lora"),
        (train("none"), "full"),
        (train("prompt_tuning"), "prompt tuning"),
        (train("lora", "none"), "base"),
        (train("lora", "distill"), "distill lora"),
        (train("lora", "distill", distill={"level": "logit"}), "distill lora"),
        (train("none", "distill"), "distill full"),
        (train("lora", "teacher"), "teacher"),
        (train("lora", "merge"), "merge"),
        (train("p_tuning"), "p tuning"),
        (train("prefix_tuning"), "prefix tuning"),
        (train("ia3"), "ia3"),
        (train("lora", lora={"dora": True}), "dora"),
        (train("lora", lora={"rslora": True}), "rslora"),
        (train("lora", lora={"dora": True, "rslora": True}), "dora rslora"),
        (train("lora", lora={"init": "pissa"}), "pissa"),
        (train("lora", lora={"init": "gaussian"}), "lora"),
        (train("lora", lora={"quantization": "nf4"}), "qlora"),
        (train("lora", "none", lora={"dora": True}), "base"),
        ({**train("lora"), "align": {"objective": "dpo"}}, "lora + dpo"),
        (
            {**train("lora"), "align": {"objective": "rloo", "rewards": {"reward_model": 1.0}}},
            "lora + rloo (reward model)",
        ),
        (aligned("grpo", 0.0), "lora + grpo"),
        (aligned("dpo", 1.0), "lora + dpo"),
        ({**train("lora"), "reward": {"objective": "bradley_terry"}}, "lora + reward model"),
        ({**train("none", "none"), "align": {"objective": "grpo"}}, "base + grpo"),
        ({"train": {"peft": 3}}, None),
        ({}, None),
    ],
)
def test_the_method_is_told_in_words(params: dict[str, Any], method: str | None) -> None:
    assert method_of(experiment("a", params)) == method


def test_columns_begin_with_what_varies() -> None:
    one = experiment("a", {**train("lora", batch_size=4), "z": 1}, {"n": 1, "test/exact_match": 0.5})
    two = experiment("b", {**train("lora", batch_size=8), "z": 2}, {"n": 1, "test/exact_match": 0.7})
    columns = choose_columns([one, two])
    assert [(column.text, column.varies) for column in columns[:4]] == [
        ("method", False),
        ("train.batch_size", True),
        ("z", True),
        ("test/exact_match", True),
    ]
    assert {"n", "seed", "train.lora.r"} <= {column.text for column in columns if not column.varies}
    assert "train.peft" not in {column.text for column in columns}
    assert columns[1].title == "batch_size"


def test_a_param_that_means_nothing_to_the_method_is_not_shown() -> None:
    rows = [
        experiment("a", train("lora")),
        experiment("b", train("prompt_tuning")),
        experiment("c", train("lora", "none")),
    ]
    rank = next(column for column in choose_columns(rows) if column.text == "train.lora.r")
    assert [rank.format(row) for row in rows] == ["8", "-", "-"]


@pytest.mark.parametrize(
    ("changes", "with_effect", "without"),
    [
        ({}, "train.lora.r", "train.prompt_tuning.num_virtual_tokens"),
        ({}, "align.objective", "align.beta"),
        ({}, "teacher.source", "teacher.train.lora.r"),
        ({}, "train.num_epochs", "train.distill.level"),
        ({"train.max_steps": 5}, "train.max_steps", "train.num_epochs"),
        ({"train.objective": "merge"}, "train.merge.adapters", "train.learning_rate"),
        ({"train.objective": "merge"}, "train.merge.combination", "train.merge.density"),
        ({}, "align.rewards.exact_match", "align.rewards.max_tokens"),
        ({"align.objective": "dpo"}, "align.rollout.max_new_tokens", "align.rollout.temperature"),
        ({"align.objective": "kto"}, "align.watch.overfitting", "align.dpo.loss"),
        ({"align.objective": "grpo"}, "align.watch.reward_collapse", "align.watch.overfitting"),
        ({"align.objective": "grpo"}, "align.rollout.temperature", "align.dpo.loss"),
        ({"align.objective": "rloo", "align.peft": "none"}, "align.beta", "align.lora.r"),
        ({"teacher.source": "starter"}, "teacher.train.learning_rate", "teacher.train.lora.r"),
        ({"teacher.source": "starter", "teacher.objective": "none"}, "teacher.top_k", "teacher.train.learning_rate"),
        ({"reward.objective": "bradley_terry"}, "reward.lora.r", "reward.watch.max_kl"),
        ({"train.peft": "p_tuning"}, "train.p_tuning.hidden_size", "train.p_tuning.dropout"),
        ({"train.objective": "distill"}, "train.distill.temperature", "train.distill.jsd_beta"),
    ],
)
def test_what_has_no_effect_is_known(changes: dict[str, Any], with_effect: str, without: str) -> None:
    row = experiment("a", with_overrides(Params().model_dump(), changes))
    assert (applies(with_effect, row), applies(without, row)) == (True, False)


def test_every_need_is_about_keys_of_the_schema() -> None:
    keys = {key for key, _ in flatten(Params().model_dump())}
    assert len(NEEDS) > 60
    for need in NEEDS:
        assert not need.key or need.key in keys
        for name in (*need.names, *need.but):
            assert any(key == name or (name.endswith(".") and key.startswith(name)) for key in keys), name


def test_with_the_defaults_of_the_schema_most_of_it_has_no_effect() -> None:
    row = experiment("a", Params().model_dump())
    keys = [key for key, _ in flatten(Params().model_dump())]
    assert len(keys) > 250
    assert sum(applies(key, row) for key in keys) < 90


@pytest.mark.parametrize("descending", [False, True])
def test_missing_is_last_in_both_directions(descending: bool) -> None:
    values = [3, MISSING, 1.5, math.nan, "text", 2]
    rows = [experiment(str(i), metrics={} if value is MISSING else {"v": value}) for i, value in enumerate(values)]
    column = next(column for column in choose_columns(rows) if column.text == "v")
    order = [row.name for row in sorted(rows, key=sort_key(column, descending))]
    assert order == (["4", "0", "5", "2", "1", "3"] if descending else ["2", "5", "0", "4", "1", "3"])


@pytest.mark.parametrize(
    ("value", "key", "text"),
    [
        (0.91, "", "0.91"),
        (0.123456, "", "0.1235"),
        (1.5e-05, "", "1.5e-05"),
        (9999, "", "9999"),
        (12_345, "", "12.3k"),
        (999_950, "", "1M"),
        (3_100_000.0, "", "3.1M"),
        (10**16, "", "1.000e+16"),
        (1_100_000_000, "peak_memory_bytes", "1.1 GB"),
        (512, "adapter_bytes", "512 B"),
        (-12_345, "", "-12.3k"),
        (True, "", "true"),
        (None, "", "null"),
        (MISSING, "", "-"),
        ("text", "", "text"),
        (math.nan, "", "nan"),
        (0, "", "0"),
    ],
)
def test_metrics_are_short(value: Any, key: str, text: str) -> None:
    assert format_value(value, key) == text


def test_params_are_never_shortened() -> None:
    assert [format_param(value) for value in (123456, 1.23456789e-05, ["a", 1], None, MISSING)] == [
        "123456",
        "1.23456789e-05",
        '["a", 1]',
        "null",
        "-",
    ]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0123, "+1.2%"),
        (-0.0004, "-0.04%"),
        (0.153, "+15%"),
        (9.9, "+990%"),
        (21.0, "x22"),
        (None, ""),
        (math.inf, ""),
    ],
)
def test_a_share_is_short(share: float | None, text: str) -> None:
    assert format_share(share) == text


def test_a_delta_has_a_sign() -> None:
    assert [format_delta(delta) for delta in (0.03, -0.44, 0.0, None, math.nan)] == ["+0.03", "-0.44", "=", "", ""]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([math.nan, math.inf])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(VALUES, VALUES)
def test_any_values_can_be_compared_sorted_and_shown(one: Any, two: Any) -> None:
    rows = [experiment("a", {"v": one}, {"v": two}), experiment("b", {"v": two}, {"v": one}), experiment("c")]
    assert len(compare(rows, rows[0]).experiments) == 3
    for column in choose_columns(rows):
        for descending in (False, True):
            ordered = sorted(rows, key=sort_key(column, descending))
            assert column.value(ordered[-1]) is MISSING
        assert all(isinstance(column.format(row), str) for row in rows)
    assert same(one, one)
    assert same(one, two) == same(two, one)
