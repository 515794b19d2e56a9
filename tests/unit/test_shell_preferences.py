"""Preference pairs of the generated task: wrong, plausible, varied, repeatable."""

from collections import Counter
from random import Random

import pytest

from pipeline.data.shell import PreferenceRow, TaskRow, preference_rows, task_rows
from pipeline.data.shell import preferences as pairs

ROWS = task_rows(1_500, 0)


def test_each_row_has_one_pair_whose_rejected_answer_is_wrong() -> None:
    made = preference_rows(ROWS, 0)
    assert [(pair.prompt, pair.chosen, pair.category) for pair in made] == [
        (row.prompt, row.completion, row.category) for row in ROWS
    ]
    for pair in made:
        assert pair.rejected == " ".join(pair.rejected.split())
        assert pair.rejected not in ("", pair.chosen)


def test_equal_seeds_give_equal_pairs_and_other_seeds_others() -> None:
    assert preference_rows(ROWS, 3) == preference_rows(ROWS, 3)
    same = sum(a == b for a, b in zip(preference_rows(ROWS, 3), preference_rows(ROWS, 4), strict=True))
    assert same < len(ROWS) / 4


def test_a_pair_does_not_depend_on_the_rows_beside_it() -> None:
    """So a split of the data leaves every pair as it was."""
    assert preference_rows(ROWS[500:], 0) == preference_rows(ROWS, 0)[500:]


def test_mistakes_are_mostly_small() -> None:
    """A reward model that only knows a command from no command would rank most of these pairs by chance."""
    made = preference_rows(ROWS, 0)
    program = sum(pair.rejected.split()[0] == pair.chosen.split()[0] for pair in made) / len(made)
    shared = [set(pair.chosen.split()) & set(pair.rejected.split()) for pair in made]
    assert program > 0.6
    assert sum(map(bool, shared)) / len(made) > 0.8


def test_every_kind_of_mistake_is_made() -> None:
    counts: Counter[str] = Counter()
    for number, row in enumerate(ROWS):
        rng = Random(number)
        request = pairs._take_apart(row)
        for mistake in pairs.MISTAKES:
            answer = mistake(request, rng)
            counts[mistake.__name__] += answer not in (None, row.completion)
    assert len(counts) == len(pairs.MISTAKES) >= 12
    assert min(counts.values()) > len(ROWS) / 10, counts


def test_a_command_is_taken_apart_into_the_values_that_it_was_made_of() -> None:
    for row in ROWS:
        request = pairs._take_apart(row)
        assert request.replaced() == row.completion
        assert request.intent.category == row.category
        assert request.values
        assert all(value in row.completion for value in request.values.values())


@pytest.mark.parametrize(
    ("mistake", "command", "category", "possible"),
    [
        (pairs._missing_argument, "wc -l notes.md", "text", {"wc -l "}),
        (pairs._cut_name, "wc -l notes.md", "text", {"wc -l notes"}),
        (pairs._swapped_names, "diff -u a.py b.md", "files", {"diff -u b.md a.py"}),
        (pairs._same_name_twice, "diff -u a.py b.md", "files", {"diff -u a.py a.py", "diff -u b.md b.md"}),
        (pairs._other_number, "wc -l notes.md", "text", {None}),
        (pairs._swapped_names, "chmod 600 notes.md", "permission", {None}),
    ],
)
def test_a_mistake_is_what_its_name_says(
    mistake: pairs.Mistake, command: str, category: str, possible: set[str | None]
) -> None:
    request = pairs._take_apart(TaskRow("prompt", command, category))
    assert {mistake(request, Random(seed)) for seed in range(20)} == possible


def test_a_command_of_another_grammar_is_refused() -> None:
    with pytest.raises(ValueError, match="not a command of the shell task: 'echo hello'"):
        preference_rows([TaskRow("say hello", "echo hello", "text")], 0)


def test_a_row_is_a_value() -> None:
    row = PreferenceRow("p", "c", "r", "k")
    assert row == PreferenceRow("p", "c", "r", "k")
    assert len({row, PreferenceRow("p", "c", "r", "k")}) == 1
