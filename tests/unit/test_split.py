"""The split: a prompt has one side, whatever else is in the data."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prepare_project import prepare_params

from pipeline.contract.problems import StageError
from pipeline.data.rows import Row
from pipeline.data.splitting import SPLITS, prompt_key, row_id, split_of
from pipeline.data.table import drop_duplicates, make_table, split_tables
from pipeline.models.messages import Message

PREPARE = prepare_params("data.jsonl", validation_fraction=0.3, test_fraction=0.3).prepare
PAIRS = st.lists(st.tuples(st.text("abc", min_size=1, max_size=2), st.text("xy", min_size=1, max_size=1)))


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def rows(pairs: list[tuple[str, str]]) -> list[Row]:
    return [Row("f", line, "", user(prompt), answer) for line, (prompt, answer) in enumerate(pairs, 1)]


def sides(pairs: list[tuple[str, str]]) -> dict[str, str]:
    table, _ = drop_duplicates(make_table(rows(pairs), PREPARE))
    return dict(table.select("id", "split").iter_rows())


@given(PAIRS, PAIRS, st.randoms())
def test_no_row_changes_its_side_when_rows_are_added(
    old: list[tuple[str, str]], new: list[tuple[str, str]], random: Random
) -> None:
    together = new + old
    random.shuffle(together)
    before, after = sides(old), sides(together)
    assert before.items() <= after.items()


@given(PAIRS)
def test_no_prompt_is_in_two_splits(pairs: list[tuple[str, str]]) -> None:
    table = make_table(rows(pairs), PREPARE)
    assert table.select("prompt_key", "split").unique().height == len({prompt for prompt, _ in pairs})


@given(PAIRS)
def test_exactly_the_repeated_rows_are_dropped(pairs: list[tuple[str, str]]) -> None:
    table, dropped = drop_duplicates(make_table(rows(pairs), PREPARE))
    first = {pair: line for line, pair in reversed(list(enumerate(pairs, 1)))}
    assert table.get_column("line").to_list() == sorted(first.values())
    assert {row.line: row.detail for row in dropped} == {
        line: f"equals f:{first[pair]}" for line, pair in enumerate(pairs, 1) if first[pair] != line
    }


def test_the_sides_of_known_prompts_never_change() -> None:
    """These values are a promise: a change here moves rows of every project between its splits."""
    keys = [prompt_key(user(f"prompt {index}")) for index in range(12)]
    letters = "".join(split_of(key, 0, 0.3, 0.3)[:2] for key in keys)
    assert letters == "tetrtetetrtrtetetrvatetr"
    assert row_id(keys[0], "answer") == "c35d2d29c8abf12e"


def test_the_fractions_are_kept_and_the_seed_moves_rows() -> None:
    keys = [prompt_key(user(f"prompt {index}")) for index in range(10_000)]
    one = [split_of(key, 0, 0.1, 0.2) for key in keys]
    other = [split_of(key, 1, 0.1, 0.2) for key in keys]
    assert [round(one.count(split) / 10_000, 1) for split in SPLITS] == [0.7, 0.1, 0.2]
    assert 0.4 < sum(a == b for a, b in zip(one, other, strict=True)) / 10_000 < 0.7


def test_raising_a_fraction_only_adds_to_its_split() -> None:
    keys = [prompt_key(user(f"prompt {index}")) for index in range(1_000)]
    for key in keys:
        before, after = split_of(key, 0, 0.1, 0.1), split_of(key, 0, 0.1, 0.3)
        assert before == after or (before, after) == ("train", "test")


def test_prompts_with_shifted_borders_differ() -> None:
    two: list[Message] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert prompt_key(two) != prompt_key(user("aassistantb"))
    assert row_id(prompt_key(user("a")), "bc") != row_id(prompt_key(user("ab")), "c")


def test_an_empty_split_says_how_many_prompts_there_are_and_what_to_raise() -> None:
    prepare = prepare_params("data.jsonl", validation_fraction=0.001, test_fraction=0.5).prepare
    pairs = [(f"prompt {index}", "x") for index in range(20)]
    with pytest.raises(StageError) as caught:
        split_tables(make_table(rows(pairs), prepare), prepare)
    assert "20 distinct prompts do not fill every split" in str(caught.value)
    assert "raise prepare.validation_fraction (now 0.001)" in str(caught.value)
    assert "prepare.test_fraction" not in str(caught.value)


def test_an_empty_train_split_says_what_to_lower() -> None:
    prepare = prepare_params("data.jsonl", validation_fraction=0.5, test_fraction=0.4999).prepare
    pairs = [(f"prompt {index}", "x") for index in range(50)]
    with pytest.raises(StageError, match=r"train is empty: lower prepare\.validation_fraction"):
        split_tables(make_table(rows(pairs), prepare), prepare)
