"""Weights files of a model directory: found, checked, copied, hashed and counted without loading them."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM

from pipeline.contract.problems import StageError

SINGLE_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
INDEX_FILE = "model.safetensors.index.json"
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
_BLOCK = 1 << 24


def weight_files(directory: Path) -> list[Path]:
    """Safetensors files of a model; StageError when there are none, one is missing, or one is cut off."""
    index = directory / INDEX_FILE
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StageError(f"{index}: not an index of weights; fetch the model again") from error
    else:
        names = [SINGLE_FILE]
    files = [directory / Path(name).name for name in names]
    for file in files:
        _check(file)
    return files


def hash_weights(files: list[Path]) -> str:
    """SHA-256 over names and contents of the files, in order."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def copy_file(source: Path, target: Path) -> None:
    """Copy a file; where the file system can share blocks, this takes neither time nor space.

    A hard link would make the source read-only together with DVC's cache, and a change in place would reach both.
    """
    with source.open("rb") as reader, target.open("wb") as writer:
        try:
            while os.copy_file_range(reader.fileno(), writer.fileno(), 1 << 30):
                pass
        except (OSError, AttributeError):
            writer.seek(reader.seek(0))
            writer.truncate()
            shutil.copyfileobj(reader, writer, _BLOCK)


def count_parameters(directory: Path, trust_remote_code: bool = False) -> int:
    """Parameters of the model, tied ones counted once, from its configuration alone."""
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=trust_remote_code)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StageError(
            f"{directory}: config.json describes no language model that transformers knows ({text})"
        ) from error
    return sum(parameter.numel() for parameter in model.parameters())


def _check(file: Path) -> None:
    if not file.is_file():
        pickled = sorted(path.name for pattern in _PICKLED for path in file.parent.glob(pattern))
        reason = f"; {pickled[0]} is a pickle, which is never loaded: save the model as safetensors" if pickled else ""
        raise StageError(f"{file}: no such file{reason or '; the folder holds no complete model'}")
    try:
        with safe_open(file, framework="pt") as tensors:
            tensors.keys()
    except (SafetensorError, OSError) as error:
        raise StageError(f"{file}: damaged or cut off ({error}); fetch the model again") from error
