"""The search for the first bad commit, and the condition that it is about."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.errors import UsageError
from tui.core.history.bisect import Mark, earlier_breaks, search
from tui.core.history.condition import parse_condition


def _run(marks: list[Mark | None], first_bad: int, untestable: frozenset[int] = frozenset()) -> tuple[int | None, int]:
    """Test commits until the search ends: the commit that was found, and how many tests it took."""
    num_tests = 0
    while True:
        state = search(marks)
        assert first_bad in state.candidates
        if state.first_bad is not None or state.next is None:
            return state.first_bad, num_tests
        place = state.next
        assert marks[place] is None
        num_tests += 1
        marks[place] = "skip" if place in untestable else "bad" if place >= first_bad else "good"


@given(num_commits=st.integers(2, 300), data=st.data())
def test_a_monotone_history_is_decided_in_as_few_tests_as_halving_takes(num_commits: int, data: st.DataObject) -> None:
    first_bad = data.draw(st.integers(1, num_commits - 1))
    marks: list[Mark | None] = ["good", *[None] * (num_commits - 2), "bad"]
    announced = search(marks).max_tests
    found, num_tests = _run(marks, first_bad)
    assert found == first_bad
    assert num_tests <= announced <= math.ceil(math.log2(num_commits - 1))


@given(num_commits=st.integers(2, 60), data=st.data())
def test_commits_that_cannot_be_tested_are_gone_around(num_commits: int, data: st.DataObject) -> None:
    first_bad = data.draw(st.integers(1, num_commits - 1))
    inner = st.integers(1, num_commits - 2) if num_commits > 2 else st.nothing()
    untestable = frozenset(data.draw(st.sets(inner)))
    marks: list[Mark | None] = ["good", *[None] * (num_commits - 2), "bad"]
    found, num_tests = _run(marks, first_bad, untestable)
    assert num_tests <= num_commits - 2
    if found is None:
        left = search(marks)
        assert set(left.candidates) - {left.bad} <= untestable
        assert first_bad in left.candidates
    else:
        assert found == first_bad
    if not {first_bad - 1, first_bad} & untestable:
        assert found == first_bad


@given(num_commits=st.integers(3, 100), data=st.data())
def test_what_is_known_already_is_not_tested(num_commits: int, data: st.DataObject) -> None:
    first_bad = data.draw(st.integers(1, num_commits - 1))
    known = data.draw(st.sets(st.integers(1, num_commits - 2)))
    marks: list[Mark | None] = ["good", *[None] * (num_commits - 2), "bad"]
    for place in known:
        marks[place] = "bad" if place >= first_bad else "good"
    found, num_tests = _run(marks, first_bad)
    assert found == first_bad
    assert num_tests <= math.ceil(math.log2(num_commits - 1))
    if {first_bad - 1, first_bad} <= known | {0, num_commits - 1}:
        assert num_tests == 0


def test_of_several_breaks_the_last_one_counts() -> None:
    marks: list[Mark | None] = ["good", "bad", None, "good", None, "bad", "bad"]
    state = search(marks)
    assert (state.good, state.bad, state.untested) == (3, 5, (4,))
    assert earlier_breaks(marks) == [1]


def test_a_search_needs_its_ends() -> None:
    for marks in (["good"], ["bad", "bad"], ["good", None], ["good", "good"]):
        with pytest.raises(ValueError, match="good first"):
            search(marks)  # type: ignore[arg-type]  # lists of literals


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("test/exact_match >= 0.9", 0.9, True),
        ("test/exact_match>=.9", 0.89, False),
        ("test/loss < 1e-3", 0.0001, True),
        ("a.json:n = 3", 3, True),
        ("n != 3", 3, False),
        ("n <= -1", -1.5, True),
        ("n > 1", math.nan, None),
        ("n > 1", None, None),
        ("n > 1", "2", None),
        ("n > 1", True, None),
    ],
)
def test_a_condition_holds_or_not_or_nothing_is_known(text: str, value: object, holds: bool | None) -> None:
    assert parse_condition(text).holds(value) is holds


@pytest.mark.parametrize("text", ["", "n", "n >=", ">= 3", "n >= x", "n >= nan", "n >= inf", "n >> 3", "1 < n < 3"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"no condition|no number"):
        parse_condition(text)


@pytest.mark.parametrize("text", ["a > 1 and b > 2", "a > 1 & b > 2", "a>1, b>2", "a > 1 or b > 2"])
def test_one_condition_at_a_time(text: str) -> None:
    with pytest.raises(UsageError, match="more than one"):
        parse_condition(text)


def test_a_name_may_have_spaces_and_commas() -> None:
    condition = parse_condition("my metric, really > 2")
    assert (condition.name, condition.sign, condition.bound) == ("my metric, really", ">", 2.0)
