"""The generated instruction task: unique, unambiguous, balanced, repeatable."""

from collections import Counter

import pytest

from pipeline.contract.problems import StageError
from pipeline.data.shell import task, task_rows
from pipeline.data.shell.intents import Intent


def test_equal_seeds_give_equal_rows_and_other_seeds_others() -> None:
    assert task_rows(200, 3) == task_rows(200, 3)
    assert task_rows(200, 3) != task_rows(200, 4)


def test_prompts_are_unique_and_rows_are_complete() -> None:
    rows = task_rows(3_000, 0)
    assert len({row.prompt for row in rows}) == len(rows) == 3_000
    for row in rows:
        assert row.prompt == " ".join(row.prompt.split())
        assert row.completion == " ".join(row.completion.split())


def test_categories_are_balanced_and_mixed() -> None:
    rows = task_rows(3_000, 0)
    counts = Counter(row.category for row in rows)
    assert len(counts) >= 8
    assert max(counts.values()) - min(counts.values()) <= 1
    assert len({row.category for row in rows[:30]}) >= 5


def test_no_question_has_two_answers() -> None:
    """Seen through the small words around a request, over many more rows than anybody trains on."""
    answers: dict[str, str] = {}
    for row in task_rows(30_000, 1):
        question = row.prompt
        for opening in filter(None, task.OPENINGS):
            question = question.removeprefix(opening)
        for closing in filter(None, task.CLOSINGS):
            question = question.removesuffix(closing)
        assert answers.setdefault(question, row.completion) == row.completion, question
    assert len(answers) > 10_000


def test_every_value_of_the_command_is_in_the_prompt() -> None:
    """The answer can be found: a person could give it without guessing."""
    for row in task_rows(2_000, 2):
        for part in row.completion.replace(":", " ").replace("@", " ").split():
            if "." in part and "*" not in part and part != ".":
                assert part.rsplit("/", 1)[-1] in row.prompt, row


def test_more_rows_than_the_grammar_has_is_an_error_and_not_an_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Intent("list", "ls {digit}", ("list {digit}",), ("{digit}",))
    monkeypatch.setattr(task, "load_intents", lambda: (one,))
    with pytest.raises(StageError, match=r"prepare\.num_rows is 900"):
        task_rows(900, 0)
