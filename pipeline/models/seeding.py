"""Equal params and seed give equal numbers on the same machine: seeds, threads and algorithms in one place."""

import os
from typing import Any

import torch

from pipeline.contract.problems import StageError

THREADS_VARIABLE = "FINETUI_NUM_THREADS"
# Fixed, not the number of cores: sums are split by thread, so another count gives other last bits.
_DEFAULT_NUM_THREADS = 2


def make_deterministic(seed: int) -> None:
    """Seed every generator, fix the number of threads, and choose reproducible algorithms on the CPU."""
    from transformers import set_seed

    torch.set_num_threads(num_threads())
    torch.use_deterministic_algorithms(not torch.cuda.is_available())
    # Filling fresh memory guards against bugs only, and costs time in every step.
    settings: Any = torch.utils.deterministic
    settings.fill_uninitialized_memory = False
    set_seed(seed)


def num_threads() -> int:
    """Threads for one process on the CPU; FINETUI_NUM_THREADS overrides the default."""
    text = os.environ.get(THREADS_VARIABLE, "")
    if not text:
        return _DEFAULT_NUM_THREADS
    if not text.isdecimal() or int(text) < 1:
        raise StageError(f"environment: {THREADS_VARIABLE} is {text!r}: must be a whole number of at least 1")
    return int(text)
