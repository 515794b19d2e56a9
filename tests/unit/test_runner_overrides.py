"""Param overrides: what is written, what is refused, and that every YAML reader agrees on it."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.yaml12 import load_yaml
from tui.core.errors import UsageError, UserError
from tui.dvc.overrides import read_params, rewritten_params
from tui.dvc.yaml_values import float_text

_TEXT = """# About the data.
data:
  names:   # which
    - a
    - "b"
  seed: 0x10
train:
  lr: 1.0e-3  # peak
  lora: {r: 16, alpha: 32}
  note: 'no'
  steps: null
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(_TEXT)
    return tmp_path


def _rewrite(root: Path, **overrides: Any) -> str:
    text = rewritten_params(root, {key.replace("__", "."): value for key, value in overrides.items()})
    assert text is not None
    return text


def test_only_the_value_changes(root: Path) -> None:
    text = _rewrite(root, train__lora__r=8)
    assert text == _TEXT.replace("r: 16", "r: 8")


def test_nothing_is_rewritten_without_overrides(root: Path) -> None:
    assert rewritten_params(root, {}) is None


@pytest.mark.parametrize(
    "value",
    [
        1e-5,
        1e22,
        -2.5e-10,
        0.1,
        3,
        -7,
        True,
        None,
        "no",
        "on",
        "1e-5",
        "12:30",
        "017",
        "x: y",
        "",
        "~",
        "a\nb",
        "ü",
        [1e-7, "yes"],
    ],
)
def test_every_reader_sees_the_same_value(root: Path, value: Any) -> None:
    text = _rewrite(root, train__steps=value)
    for read in (yaml.safe_load, load_yaml):
        seen = read(text)["train"]["steps"]
        assert seen == value
        assert type(seen) is type(value)


@given(st.floats(allow_nan=False))
@settings(max_examples=200)
def test_floats_read_back_in_yaml_1_1_and_1_2(value: float) -> None:
    for read in (yaml.safe_load, load_yaml):
        seen = read(float_text(value))
        assert isinstance(seen, float)
        assert seen == value


def test_nan_is_written_as_yaml_knows_it() -> None:
    assert math.isnan(yaml.safe_load(float_text(math.nan)))


def test_an_unknown_key_is_refused_with_the_nearest_one(root: Path) -> None:
    with pytest.raises(UsageError, match=r"train\.lora\.rank.*did you mean 'train\.lora\.r'"):
        rewritten_params(root, {"train.lora.rank": 8})


def test_all_unknown_keys_are_named(root: Path) -> None:
    with pytest.raises(UsageError) as caught:
        rewritten_params(root, {"train.x": 1, "data.y": 2})
    assert "train.x" in caught.value.detail
    assert "data.y" in caught.value.detail


def test_a_section_is_not_replaced_by_a_value(root: Path) -> None:
    with pytest.raises(UsageError, match="section"):
        rewritten_params(root, {"train.lora": 8})


def test_an_alias_does_not_carry_the_change_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: &shared {x: 1}\nb: *shared\n")
    with pytest.raises(UsageError, match=r"other params.*a\.x"):
        rewritten_params(tmp_path, {"b.x": 2})


def test_own_params_are_checked_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("base: {}\nprepare: {}\ntrain: {}\nevaluate: {}\ndeploy: {}\n")
    with pytest.raises(UsageError) as caught:
        rewritten_params(tmp_path, {"train.learning_rate": -1.0, "train.peft": "lorra"})
    assert "train.learning_rate" in caught.value.detail
    assert "train.peft" in caught.value.detail


def test_own_params_may_be_set_where_the_file_leaves_them_out(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("base: {}\nprepare: {}\ntrain: {}\nevaluate: {}\ndeploy: {}\n")
    text = rewritten_params(tmp_path, {"train.lora.r": 4})
    assert text is not None
    assert load_yaml(text)["train"]["lora"]["r"] == 4


@pytest.mark.parametrize("content", ["a: [", "- 1\n", "a: 1\na: : 2"])
def test_a_broken_file_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "params.yaml").write_text(content)
    with pytest.raises(UserError, match=r"params\.yaml"):
        read_params(tmp_path)


def test_a_file_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(UserError, match="UTF-8"):
        read_params(tmp_path)


def test_no_file_means_no_params(tmp_path: Path) -> None:
    assert read_params(tmp_path) == {}
    with pytest.raises(UsageError):
        rewritten_params(tmp_path, {"a": 1})
