"""The scorers against values worked out by hand."""

import math

import pytest

from pipeline.evals.text_scores import chrf, corpus_chrf, exact_match, final_answer, normalise, rouge_l


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("ls -a", "ls -a", True),
        ("  ls \t -a\n", "ls -a", True),
        ("cafe\u0301", "caf\u00e9", True),
        ("ls -A", "ls -a", False),
        ("ls -a .", "ls -a", False),
        ("", "ls", False),
    ],
)
def test_exact_match_ignores_nothing_but_spacing_and_composition(answer: str, reference: str, expected: bool) -> None:
    assert exact_match(answer, reference) is expected


def test_normalise_is_idempotent_on_odd_spaces() -> None:
    text = "a\u00a0b\u2003\u2028c\x85"
    assert normalise(text) == "a b c"
    assert normalise(normalise(text)) == normalise(text)


def test_thoughts_are_no_part_of_the_answer_but_unfinished_ones_are_all_there_is() -> None:
    assert final_answer("\n<think>which?</think>\n\npwd") == "pwd"
    assert final_answer("<think>for ever") == "<think>for ever"
    assert final_answer("ls <think>x</think>") == "ls <think>x</think>"


def test_chrf_of_short_words_by_hand() -> None:
    # Characters: 2 of 3 match both ways; pairs: 1 of 2; triples: 0 of 1; longer ones exist on neither side.
    expected = 100 * (2 / 3 + 1 / 2 + 0) / 3
    assert chrf("abc", "abd") == pytest.approx(expected)


def test_chrf_weighs_recall_twice() -> None:
    # One letter of two is found, nothing is wrong: precision 1, recall 1/2; and the other way round.
    assert chrf("a", "ab") == pytest.approx(100 * 5 * 1 * 0.5 / (4 * 1 + 0.5))
    assert chrf("ab", "a") == pytest.approx(100 * 5 * 0.5 * 1 / (4 * 0.5 + 1))


def test_corpus_chrf_sums_counts_and_does_not_average_sentences() -> None:
    answers, references = ["ls -la", "x"], ["ls -la", "completely different"]
    average = (chrf(answers[0], references[0]) + chrf(answers[1], references[1])) / 2
    assert corpus_chrf(answers, references) < average
    assert corpus_chrf(references, references) == 100.0


def test_rouge_l_by_hand_counts_options_and_pipes() -> None:
    # Longest common subsequence `find . | wc -l`: 5 words of 7 and 6.
    expected = 2 * (5 / 7) * (5 / 6) / (5 / 7 + 5 / 6)
    assert rouge_l("find . -type f | wc -l", "find . -empty | wc -l") == pytest.approx(expected, abs=1e-6)
    assert rouge_l("-l", "-a") == 0.0
    assert rouge_l("LS", "ls") == 0.0
    assert math.isclose(rouge_l("a b", "a b"), 1.0)
