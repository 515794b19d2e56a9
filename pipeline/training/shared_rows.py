"""Evaluation by several processes: each row is counted once, and sums run over all processes."""

from typing import Any

import torch
from accelerate.utils import broadcast_object_list

from pipeline.contract.launching import is_started


class OwnRows:
    """How many rows of a process's batches are its own to count, batch after batch of one evaluation.

    accelerate deals whole batches in turn, and fills up the last ones with the first rows, so that all processes have
    equally many of equal size.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._num_batches = 0

    def next_batch(self) -> int:
        """Rows of the next batch, from its first one, that no other batch holds."""
        args = self._trainer.args
        place = self._num_batches * args.world_size + args.process_index
        self._num_batches += 1
        num_left = len(self._trainer.eval_dataset) - place * args.eval_batch_size
        return int(min(max(num_left, 0), args.eval_batch_size))


def sum_of_all(trainer: Any, *values: float) -> list[float]:
    """Sum of each value over all processes."""
    if trainer.args.world_size == 1:
        return list(values)
    own = torch.tensor(values, dtype=torch.float64, device=trainer.args.device)
    sums: list[float] = trainer.accelerator.reduce(own, reduction="sum").tolist()
    return sums


def of_main_process(values: dict[str, float]) -> dict[str, float]:
    """The main process's values in every process: what they decide on must not differ by a rounding."""
    if not is_started():
        return values
    shared = [values]
    broadcast_object_list(shared)
    return shared[0]
