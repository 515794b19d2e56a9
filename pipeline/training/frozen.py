"""Proof that a training left alone what it was not to change."""

import hashlib
from typing import Any

import torch


def frozen_sha256(model: Any) -> str | None:
    """Hash over names and contents of all parameters that are not trained, as they lie in memory; None if all are."""
    digest, num_frozen = hashlib.sha256(), 0
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            num_frozen += 1
            digest.update(f"{name} {parameter.dtype} {tuple(parameter.shape)}\0".encode())
            digest.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest() if num_frozen else None
