"""Params as a form: fields, texts, problems; experiments as rows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.params import Params
from tests.ui import project
from tui.core.experiments import Experiment, flatten
from tui.core.form import FormField, follows_schema, form_fields, parse, problems, shown, with_overrides
from tui.core.names import name_problem
from tui.core.rows import arrange, keyed
from tui.screens.launch.draft import Draft


def field(key: str, values: dict[str, Any] | None = None) -> FormField:
    """One field of the form."""
    return next(one for one in form_fields(values or project.params()) if one.key == key)


def test_the_form_has_a_field_with_help_for_every_leaf_of_the_schema() -> None:
    leaves = {key for key, _ in flatten(Params().model_dump())}
    fields = form_fields(project.params())
    assert {one.key for one in fields} == leaves
    assert len(leaves) > 50
    assert [one.key for one in fields if not one.help] == []


def test_fields_know_their_kind_range_and_default() -> None:
    rank = field("train.lora.r")
    assert (rank.kind, rank.value, rank.default) == ("integer", 16, 16)
    assert rank.allowed == "whole number, ≥ 1, ≤ 1,024"
    assert field("reward.peft").choices == ("none", "lora")
    assert field("train.merge.adapters").allowed == "list, as [a, b] or [{name: value}]"
    assert field("train.max_steps").is_optional
    assert field("train.lora.target_modules").kind == "text or list"
    assert field("train.packing").kind == "switch"


def test_the_defaults_of_the_schema_have_no_problems_and_read_back() -> None:
    values = Params().model_dump()
    assert problems(values, {}) == {}
    for one in form_fields(values):
        assert parse(one, shown(one.value)) == one.value, one.key


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("train.learning_rate", "1e-4", 1e-4),
        ("train.learning_rate", " 0.5 ", 0.5),
        ("train.max_steps", "null", None),
        ("train.max_steps", "", None),
        ("train.lora.target_modules", "[q_proj, v_proj]", ["q_proj", "v_proj"]),
        ("train.lora.target_modules", "all-linear", "all-linear"),
        ("base.source", "yes", "yes"),
        ("align.dpo.loss", "[sigmoid, sft]", ["sigmoid", "sft"]),
        ("train.merge.adapters", "[{path: a, weight: 0.5}]", [{"path": "a", "weight": 0.5}]),
        ("align.rewards.functions", '[{function: "m:f"}]', [{"function": "m:f"}]),
        ("base.source", "1.5", "1.5"),
    ],
)
def test_texts_become_values_of_the_right_kind(key: str, text: str, value: Any) -> None:
    found = parse(field(key), text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("train.lora.r", "8.5", "whole number"),
        ("train.lora.r", "true", "whole number"),
        ("train.learning_rate", "fast", "must be a number"),
        ("train.lora.r", "[", "does not parse"),
        ("train.lora.r", "", "whole number"),
    ],
)
def test_texts_that_mean_nothing_are_refused(key: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(field(key), text)


@given(st.text(max_size=20), st.sampled_from([one.key for one in form_fields(project.params())]))
def test_whatever_is_typed_is_a_value_or_a_value_error(text: str, key: str) -> None:
    try:
        value = parse(field(key), text)
    except ValueError:
        return
    problems(project.params(), {key: value})


def test_problems_of_a_rule_name_the_key_that_breaks_it() -> None:
    changes = {"train.peft": "prompt_tuning", "train.packing": True}
    assert list(problems(project.params(), changes)) == ["train.packing"]


def test_unknown_keys_of_a_finetui_project_stay_in_the_form_with_their_problem() -> None:
    values = with_overrides(project.params(), {"train.lerning_rate": 0.1})
    assert field("train.lerning_rate", values).kind == "number"
    assert "did you mean 'learning_rate'" in problems(values, {})["train.lerning_rate"]


def test_a_project_with_other_keys_is_not_judged_by_the_schema() -> None:
    values = {"prepare": {"split": 0.2, "seed": 1}, "featurize": {"ngrams": 2}, "train": {"n_est": 50, "min_split": 2}}
    assert not follows_schema(values)
    assert problems(values, {"train.n_est": "many"}) == {}
    assert [one.key for one in form_fields(values)][-1] == "train.min_split"


def test_overrides_leave_the_workspace_values_alone() -> None:
    values = {"a": {"b": 1}, "c": 2}
    assert with_overrides(values, {"a.b": 5, "d.e.f": 6}) == {"a": {"b": 5}, "c": 2, "d": {"e": {"f": 6}}}
    assert values == {"a": {"b": 1}, "c": 2}


def test_rows_keep_a_commit_whose_experiment_matches() -> None:
    rows = arrange(project.experiments(), lambda one: one.name == "tiny-gnu")
    assert [(row.experiment.label, row.depth) for row in rows] == [("77c01be", 0), ("tiny-gnu", 1)]


def test_an_experiment_whose_commit_is_not_listed_stands_alone() -> None:
    orphan = Experiment("f" * 40, "experiment", name="lost-one", baseline="e" * 40)
    assert [row.depth for row in arrange([*project.experiments(), orphan])][-1] == 0


def test_every_row_has_a_key_of_its_own_and_keeps_it_when_the_run_ends() -> None:
    first = Experiment("1" * 40, "experiment", name="twin", baseline=project.MAIN, status="failed", run_id="a")
    second = Experiment("2" * 40, "experiment", name="twin", baseline=project.MAIN, status="failed", run_id="b")
    assert [key for key, _ in keyed([first, second])] == [f"{project.MAIN}/twin", f"{project.MAIN}/twin@b"]
    ended = Experiment("3" * 40, "experiment", name="twin", baseline=project.MAIN)
    assert keyed([ended])[0][0] == keyed([first])[0][0]


@pytest.mark.parametrize("name", ["", "a", "brisk-owl", "lr_1e-3", "v1.2", "é", "a" * 100])
def test_names_that_an_experiment_can_have(name: str) -> None:
    assert name_problem(name) == ""


@pytest.mark.parametrize(
    "name", ["-a", ".a", "a b", "a/b", "a..b", "a.", "a.lock", "a\n", "a\x1b", "a~1", "a:b", "@{", "a" * 101, "é" * 51]
)
def test_names_that_no_experiment_can_have(name: str) -> None:
    assert name_problem(name)


_PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=6)


@given(st.recursive(_PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner)))
def test_lists_and_sections_are_shown_as_they_are_typed(value: Any) -> None:
    one = FormField("k", "value", [])
    assert parse(one, shown([value])) == [value]


def test_a_problem_inside_a_list_belongs_to_its_field() -> None:
    values = project.params()
    draft = Draft(values, form_fields(values))
    one = draft.field_of("train.merge.adapters")
    assert one is not None
    assert "train.merge.adapters" in draft.with_value(one, [{"path": "a"}, {"weight": "x"}]).problems()
