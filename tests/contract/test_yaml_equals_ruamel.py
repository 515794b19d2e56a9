"""YAML of every make is read as ruamel.yaml reads it, which is how DVC reads it: values, types, and what is refused."""

import json
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tui.store.parsing.documents import BadDocumentError, parse

REFUSED = "refused"
LIST = Path(__file__).with_name("yaml_scalars.txt")
SCALARS = ["", *(json.loads(line[5:]) if line.startswith("json:") else line for line in LIST.read_text().splitlines())]
"""Whatever has rules of its own; what is not plain ASCII is written as JSON."""


def theirs(text: str) -> Any:
    """What DVC shows of a document; None for one of which it cannot show anything, because JSON has no such thing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = YAML(typ="safe").load(text) or {}
    except Exception:  # noqa: BLE001 - ruamel raises what it likes; DVC shows each of them as an error of the file
        return REFUSED
    try:
        return json.loads(json.dumps(value, default=_iso))
    except (TypeError, RecursionError, ValueError):
        return None


def _iso(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError


def ours(text: str) -> Any:
    """What we show of it."""
    try:
        return json.loads(json.dumps(parse("params.yaml", text.encode()), allow_nan=True))
    except BadDocumentError:
        return REFUSED


def check(text: str) -> None:
    wanted = theirs(text)
    if wanted is not None:
        assert repr(ours(text)) == repr(wanted), text


@pytest.mark.parametrize(
    "form", ["a: {}\n", "- {}\n", "a: [{}, 1]\n", "{}: 1\n", "a:\n  b: {}\n", "{}\n", "a: {{b: {}}}\n"]
)
def test_every_scalar_in_every_position(form: str) -> None:
    different = []
    for scalar in SCALARS:
        text = form.format(scalar)
        wanted = theirs(text)
        if wanted is not None and repr(ours(text)) != repr(wanted):
            different.append((text, wanted, ours(text)))
    assert different == []


LEAVES = st.sampled_from(SCALARS) | st.integers().map(str) | st.floats().map(repr) | st.text("aA1 :#-.'\"é", max_size=8)
KEYS = st.sampled_from(
    ["a", "b", "lr", "'a'", '"b"', "1", "1.0", "true", "~", "a b", "a.b", "é", "? a", "", "&k a", "!!str 1"]
)


def block(tree: Any, indent: int) -> str:
    """A tree of mappings, lists and scalars in block style."""
    space = "\n" + " " * indent
    if isinstance(tree, dict):
        return "".join(f"{space}{key}: {block(value, indent + 2)}" for key, value in tree.items()) or " {}"
    if isinstance(tree, list):
        return "".join(f"{space}- {block(value, indent + 2)}" for value in tree) or " []"
    return str(tree)


TREES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=4), max_leaves=12
)


@settings(max_examples=600, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
def test_trees_in_block_style(tree: Any) -> None:
    check(block(tree, 0).lstrip("\n") + "\n")


LINES = [
    *("a: 1", "b: 2", "a: 3", "  c: 4", "    d: 5", "- 1", "- a: 1", "  - 2", "e: |", "f: >-", "  text", "", "# no"),
    *("a: &x 1", "b: *x", "m: &m {a: 1}", "n: {<<: *m, b: 2}", "<<: *m", "---", "%YAML 1.1", "%YAML 1.2", "%TAG ! x"),
    *("? k", ": v", "a: 'open", "  closed'", "\tt: 1", "x: [1,", "  2]", "y: {a: 1,", "  b: 2}", "yes: no", "z: 017"),
    *("w: 1e5 # c", "k:\t1", "l: a\tb # c", "..."),
]


@settings(max_examples=800, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(LINES), max_size=7).filter(lambda lines: lines.count("...") < 2),
    st.sampled_from(["\n", "\r\n"]),
)
def test_lines_in_any_order(lines: list[str], end: str) -> None:
    check(end.join(lines) + end)
