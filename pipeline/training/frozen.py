"""Proof that a training left alone what it was not to change."""

import hashlib
from typing import Any

import torch
from torch.distributed.tensor import DTensor


def frozen_sha256(model: Any) -> str | None:
    """Hash over names and contents of all parameters that are not trained, as they lie in memory; None if all are.

    Of a model that is split over processes each one must ask.
    """
    digest, num_frozen = hashlib.sha256(), 0
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            num_frozen += 1
            digest.update(f"{name} {parameter.dtype} {tuple(parameter.shape)}\0".encode())
            whole: Any = parameter.full_tensor() if isinstance(parameter, DTensor) else parameter
            digest.update(whole.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest() if num_frozen else None
