"""Pretraining batches: every document once an epoch, like lengths together, repeatable."""

from collections import Counter

from pipeline.models.starter_batches import IGNORED, length_bucketed

DOCUMENTS = [[row + 1] * (1 + row * 7 % 40) for row in range(100)]


def rows_of(num_steps: int, seed: int = 0) -> list[list[int]]:
    return [[int(row[0]) for row in ids] for ids, _ in length_bucketed(DOCUMENTS, 8, num_steps, 0, seed)]


def test_an_epoch_has_every_document_once() -> None:
    assert Counter(row for batch in rows_of(13) for row in batch) == Counter(range(1, 101))


def test_epochs_follow_each_other_in_another_order() -> None:
    batches = rows_of(26)
    assert len(batches) == 26
    assert Counter(row for batch in batches for row in batch) == Counter({row: 2 for row in range(1, 101)})
    assert batches[:13] != batches[13:]


def test_order_depends_on_the_seed_alone() -> None:
    assert rows_of(20, seed=4) == rows_of(20, seed=4)
    assert rows_of(20, seed=4) != rows_of(20, seed=5)


def test_padding_is_little_and_never_a_label() -> None:
    num_padding = num_tokens = 0
    for ids, labels in length_bucketed(DOCUMENTS, 8, 13, 0, 0):
        assert ((labels == IGNORED) == (ids == 0)).all()
        assert (labels[labels != IGNORED] == ids[ids != 0]).all()
        num_padding += int((ids == 0).sum())
        num_tokens += ids.numel()
    assert num_padding < 0.15 * num_tokens
