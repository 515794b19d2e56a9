"""Where a model computes, and in which number type."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from pipeline.contract.launching import local_rank
from pipeline.contract.params import Peft
from pipeline.contract.problems import StageError

DType = Literal["auto", "float32", "bfloat16"]


def pick_device() -> torch.device:
    """The first visible CUDA device, or that of this process's number where there are several; else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    rank, num_devices = local_rank(), torch.cuda.device_count()
    if rank is not None:
        if rank >= num_devices:
            raise StageError(f"num_processes: this machine has {num_devices} GPUs, and each process needs one")
        torch.cuda.set_device(rank)
    return torch.device("cuda", torch.cuda.current_device())


def device_name(device: torch.device) -> str:
    """`cpu`, or the name of the accelerator."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def pick_dtype(dtype: DType, device: torch.device) -> torch.dtype:
    """Type of the weights in memory; `auto` is bfloat16 on CUDA and float32 on the CPU."""
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.bfloat16 if dtype == "bfloat16" else torch.float32


def training_dtype(peft: Peft, dtype: DType, device: torch.device) -> DType:
    """Type of the weights while they are trained; full fine-tuning with `auto` keeps them in float32.

    In bfloat16 a step of a usual learning rate is smaller than the last place of most weights, and is lost.
    """
    return "float32" if peft == "none" and dtype == "auto" and device.type == "cuda" else dtype


@contextmanager
def device_memory(work: str, way_out: str) -> Iterator[None]:
    """Turn a lack of device memory during some work into an error that says the way out."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise StageError(f"the device has too little memory for {work}; {way_out}") from error


def peak_device_memory(device: torch.device) -> int | None:
    """Peak bytes allocated on an accelerator; None on the CPU, where the process's own peak counts."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
