"""Copies trained weights in the coarser type in which they are used."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pipeline.contract.files import write_json
from pipeline.models.weights import CONFIG_FILE, INDEX_FILE, weight_files


def copy_rounded(source: Path, directory: Path, dtype: torch.dtype) -> None:
    """Copy weights and configuration of a model; what is float32 becomes `dtype`, one file at a time."""
    num_bytes = sum(_round_file(file, directory / file.name, dtype) for file in weight_files(source))
    write_json(directory / CONFIG_FILE, _named(json.loads((source / CONFIG_FILE).read_bytes()), dtype))
    if (source / INDEX_FILE).is_file():
        index = json.loads((source / INDEX_FILE).read_bytes())
        index["metadata"]["total_size"] = num_bytes
        write_json(directory / INDEX_FILE, index)


def _round_file(source: Path, target: Path, dtype: torch.dtype) -> int:
    with safe_open(source, framework="pt") as file:
        tensors = {name: _rounded(file.get_tensor(name), dtype) for name in file.keys()}  # noqa: SIM118 - no mapping
        save_file(tensors, target, file.metadata())
    # safetensors gives them to their owner alone; whoever may enter the folder may read the weights.
    target.chmod(target.parent.stat().st_mode & 0o666)
    return sum(tensor.nbytes for tensor in tensors.values())


def _rounded(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return tensor.to(dtype) if tensor.dtype == torch.float32 else tensor


def _named(config: dict[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """The configuration with the new type, also where parts of the model have one of their own."""
    parts = {name: _named(value, dtype) for name, value in config.items() if isinstance(value, dict)}
    new = {"dtype": str(dtype).removeprefix("torch.")} if config.get("dtype") == "float32" else {}
    return config | parts | new
