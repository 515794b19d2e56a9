"""PiSSA and OLoRA: the adapter starts as the main part of each weight, and the base holds what is left of it.

peft's own OLoRA forgets that GPT-2's weights are transposed, and its adapters change the base again when they are
loaded. Here the factors of the start are kept beside the checkpoints: a training that goes on takes them from there,
and with them the trained adapter is written as a plain LoRA on the untouched base.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file

from pipeline.contract.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from pipeline.contract.files import write_json
from pipeline.contract.params import Lora, Optimisation
from pipeline.contract.problems import StageError
from pipeline.training.job import Job

_START_NAME = "start.safetensors"
_PLAIN_DIR = "plain"
_ADAPTER = "default"


def changes_base(params: Lora) -> bool:
    """Whether the base in memory is changed at the start."""
    return params.init in ("pissa", "olora")


def start_along_base(job: Job, model: Any, params: Optimisation) -> None:
    """Move the main part of every adapted weight from the base into its new adapter; their sum stays what it was.

    Does nothing where params ask for another start.
    """
    lora = getattr(params, "lora", None)
    if getattr(params, "peft", None) != "lora" or not isinstance(lora, Lora) or not changes_base(lora):
        return
    file = job.checkpoints / _START_NAME
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    if file.is_file():
        factors = load_file(file)
    else:
        factors = _main_parts(layers, lora, f"{job.section}.lora")
        _write(factors, file)
    for name, layer in layers.items():
        _move(layer, factors[f"{name}.lora_A.weight"], factors[f"{name}.lora_B.weight"])


def plain_adapter(checkpoint: Path) -> Path:
    """Folder with the trained adapter as one for the untouched base: the checkpoint, unless the base was changed.

    base - s B0 A0 + s B A = base + s [B, -B0] [A; A0], so the rank doubles and the scale s must stay.
    """
    file = checkpoint.parent / _START_NAME
    if not file.is_file():
        return checkpoint
    start, trained = load_file(file), load_file(checkpoint / ADAPTER_WEIGHTS)
    joined = {name: _joined(name, tensor, start) for name, tensor in trained.items()}
    config = json.loads((checkpoint / ADAPTER_CONFIG).read_bytes())
    factor = math.sqrt(2) if config["use_rslora"] else 2
    config |= {"r": 2 * config["r"], "lora_alpha": factor * config["lora_alpha"]}
    # Beside the checkpoint, which would no longer be the one that its marker tells of.
    plain = checkpoint.parent / _PLAIN_DIR
    write_json(plain / ADAPTER_CONFIG, config)
    save_file(joined, plain / ADAPTER_WEIGHTS, {"format": "pt"})
    return plain


def _joined(name: str, trained: torch.Tensor, start: dict[str, torch.Tensor]) -> torch.Tensor:
    if name not in start:
        return trained
    first = start[name].to(trained.dtype)
    return torch.cat([trained, first], 0) if ".lora_A." in name else torch.cat([trained, -first], 1)


def _main_parts(layers: Mapping[str, Any], params: Lora, key: str) -> dict[str, torch.Tensor]:
    """Both factors of every layer, under the names that the adapter's file has for them."""
    factors: dict[str, torch.Tensor] = {}
    for name, layer in layers.items():
        weight = _weight(layer)
        if params.r > min(weight.shape):
            raise StageError(
                f"{key}.r is {params.r}: {key}.init {params.init!r} takes that many directions from each weight, and "
                f"{name} has {min(weight.shape)} of them; lower {key}.r, or set {key}.init to default"
            )
        down, up = _main_part(weight, params, layer.scaling[_ADAPTER])
        # In one layout, as they come back from the file: products of others differ in the last bit.
        factors |= {f"{name}.lora_A.weight": down.contiguous(), f"{name}.lora_B.weight": up.contiguous()}
    return factors


def _main_part(weight: torch.Tensor, params: Lora, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The factors A and B of what is moved: scale * B A is the main part of the weight for PiSSA, and OLoRA's start."""
    if params.init == "olora":
        orthogonal, triangular = torch.linalg.qr(weight)
        return triangular[: params.r], orthogonal[:, : params.r]
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    root = (values[: params.r] / scale).sqrt()
    return root[:, None] * right[: params.r], left[:, : params.r] * root


def _weight(layer: Any) -> torch.Tensor:
    """Weight of the base layer as outputs x inputs, in float32; GPT-2's layers hold it transposed."""
    weight: torch.Tensor = layer.get_base_layer().weight.detach()
    return (weight.T if layer.fan_in_fan_out else weight).float()


def _move(layer: Any, down: torch.Tensor, up: torch.Tensor) -> None:
    base = layer.get_base_layer().weight
    down, up = down.to(base.device), up.to(base.device)
    rest = _weight(layer) - layer.scaling[_ADAPTER] * (up @ down)
    base.data = (rest.T if layer.fan_in_fan_out else rest).to(base.dtype).contiguous()
    for factor, value in ((layer.lora_A, down), (layer.lora_B, up)):
        factor[_ADAPTER].weight.data = value.to(factor[_ADAPTER].weight.dtype)


def _write(factors: dict[str, torch.Tensor], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    save_file({name: tensor.cpu() for name, tensor in factors.items()}, unfinished)
    unfinished.replace(file)
