"""Equal params and seed give equal numbers on the same machine: seeds, threads and algorithms in one place."""

import os
from typing import Any

import torch

from pipeline.contract.problems import StageError

THREADS_VARIABLE = "FINETUI_NUM_THREADS"
# A small model gains little from a second thread, and loses tenfold when another run wants the same core.
_SMALL_MODEL_PARAMETERS = 20_000_000


def make_deterministic(seed: int, num_parameters: int = 0) -> None:
    """Seed every generator, fix the number of threads for a model of this size, choose reproducible algorithms."""
    from transformers import set_seed

    torch.set_num_threads(num_threads(num_parameters))
    torch.use_deterministic_algorithms(not torch.cuda.is_available(), warn_only=True)
    # Filling fresh memory guards against bugs only, and costs time in every step.
    settings: Any = torch.utils.deterministic
    settings.fill_uninitialized_memory = False
    set_seed(seed)


def num_threads(num_parameters: int = 0) -> int:
    """Threads of one process on the CPU: sums are split by thread, so the number must not depend on the environment.

    FINETUI_NUM_THREADS overrides it, for several large runs on one machine.
    """
    text = os.environ.get(THREADS_VARIABLE, "")
    if text and (not text.isdecimal() or int(text) < 1):
        raise StageError(f"environment: {THREADS_VARIABLE} is {text!r}: must be a whole number of at least 1")
    if text:
        return int(text)
    return 1 if num_parameters < _SMALL_MODEL_PARAMETERS else (os.cpu_count() or 1)
