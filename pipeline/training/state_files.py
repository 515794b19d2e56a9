"""Nested values with tensors as a pair of files, JSON and safetensors: nothing that is read back can run code."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from pipeline.contract.files import write_text

_TENSOR, _TUPLE, _DICT = "tensor", "tuple", "dict"


def write_state(directory: Path, name: str, value: Any) -> None:
    """Write `<name>.json` and `<name>.safetensors`; numbers come back bit for bit."""
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_encode(value, tensors), separators=(",", ":"))
    directory.mkdir(parents=True, exist_ok=True)
    save_file(tensors, directory / f"{name}.safetensors")
    write_text(directory / f"{name}.json", text)


def read_state(directory: Path, name: str) -> Any:
    """What `write_state` was given, its tensors on the CPU."""
    tensors = load_file(directory / f"{name}.safetensors")
    return _decode(json.loads((directory / f"{name}.json").read_bytes()), tensors)


def _encode(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = _apart(value.detach().cpu())
        return {_TENSOR: name}
    if isinstance(value, dict):
        return {_DICT: [[_encode(key, tensors), _encode(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        items = [_encode(item, tensors) for item in value]
        return items if isinstance(value, list) else {_TUPLE: items}
    raise TypeError(f"a checkpoint cannot hold {type(value).__name__}")


def _decode(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == _TENSOR:
        return tensors[content]
    if kind == _TUPLE:
        return tuple(_decode(item, tensors) for item in content)
    return {_decode(key, tensors): _decode(item, tensors) for key, item in content}


def _apart(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in memory of its own: parts of a larger one cannot be saved."""
    whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
    return tensor if whole and tensor.is_contiguous() else tensor.clone(memory_format=torch.contiguous_format)
