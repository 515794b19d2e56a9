"""YAML as DVC reads params; what does not parse is a YAML error with its place, never another exception."""

from typing import Any

import pytest
import yaml

from pipeline.contract.loading import load_params
from pipeline.contract.problems import ParamsError
from pipeline.contract.yaml12 import load_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("no", "no"),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b11", -3),
        ("1_000", 1000),
        ("-.inf", -float("inf")),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    assert load_yaml(f"a: {text}") == {"a": value}


BROKEN = ["2024-13-45", "-_", "0b_", "0x_", "!!int x", "!!float x", "!!bool x", "!!timestamp x", "9" * 5000]


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:12])
def test_what_only_looks_like_a_value_is_an_error_with_its_place(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match=r"not a valid \w+: .*\n.*line 2, column 4") as caught:
        load_yaml(f"a: 1\nb: {text}\n")
    assert len(str(caught.value)) < 300


def test_a_params_file_with_such_a_value_is_one_problem(tmp_path: Any) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("train:\n  seed: 2024-13-45\n")
    with pytest.raises(ParamsError, match=r"does not parse as YAML: not a valid timestamp: '2024-13-45'.* line 2"):
        load_params(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 50_000], ids="[{-?")
def test_a_document_that_is_nested_too_deeply_is_an_error_and_ends_nothing(text: str) -> None:
    for form in (text, text.encode()):
        with pytest.raises(yaml.YAMLError, match="nested more than 200 levels"):
            load_yaml(form)
    lines = "\n".join(" " * level + "a:" for level in range(3_000))
    with pytest.raises(yaml.YAMLError, match="nested more than 200 levels"):
        load_yaml(lines)


def test_many_brackets_beside_each_other_are_not_deep() -> None:
    assert load_yaml("a: [" + "[1], " * 5_000 + "]") == {"a": [[1]] * 5_000}
