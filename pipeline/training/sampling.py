"""The order of rows: rows of like length share a batch, batches come in random order."""

from collections.abc import Iterator
from random import Random
from typing import Any

from torch.utils.data import Sampler

_BATCHES_PER_POOL = 50


def step_size(args: Any) -> int:
    """Rows that all processes together take in one step, given a trainer's arguments: consecutive ones of the order."""
    return int(args.train_batch_size * args.gradient_accumulation_steps * args.world_size)


class LengthBucketSampler(Sampler[int]):
    """Row numbers such that consecutive slices of `batch_size` have like lengths; every epoch in a new order."""

    def __init__(self, lengths: list[int], batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; the trainer calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        random = Random(f"{self._seed} {self._epoch}")
        order = list(range(len(self._lengths)))
        random.shuffle(order)
        # The rows that fill no batch go last: in the middle they would shift all slices after them.
        num_full = len(order) - len(order) % self._batch_size
        batches = list(self._batches(order[:num_full]))
        random.shuffle(batches)
        for batch in (*batches, order[num_full:]):
            yield from batch

    def _batches(self, rows: list[int]) -> Iterator[list[int]]:
        pool_size = self._batch_size * _BATCHES_PER_POOL
        for start in range(0, len(rows), pool_size):
            pool = sorted(rows[start : start + pool_size], key=self._lengths.__getitem__)
            for first in range(0, len(pool), self._batch_size):
                yield pool[first : first + self._batch_size]
