"""Batches for pretraining: documents of like length together, so that little of a batch is padding."""

from collections.abc import Iterator
from random import Random

import torch

IGNORED = -100
_BATCHES_PER_POOL = 50


def length_bucketed(
    documents: list[list[int]], batch_size: int, num_steps: int, pad_id: int, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (input ids, labels) for `num_steps` steps, epoch after epoch, each in a new order."""
    rng = Random(f"batches {seed}")
    num_batches = 0
    while num_batches < num_steps:
        for rows in _epoch([len(document) for document in documents], batch_size, rng)[: num_steps - num_batches]:
            num_batches += 1
            yield _pad([documents[row] for row in rows], pad_id)


def _epoch(lengths: list[int], batch_size: int, rng: Random) -> list[list[int]]:
    """Shuffle the rows, sort pools of them by length, cut the pools into batches, shuffle these."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    pool_size = batch_size * _BATCHES_PER_POOL
    batches: list[list[int]] = []
    for start in range(0, len(order), pool_size):
        pool = sorted(order[start : start + pool_size], key=lengths.__getitem__)
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    rng.shuffle(batches)
    return batches


def _pad(rows: list[list[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    length = max(map(len, rows))
    input_ids = torch.tensor([row + [pad_id] * (length - len(row)) for row in rows])
    labels = torch.tensor([row + [IGNORED] * (length - len(row)) for row in rows])
    return input_ids, labels
