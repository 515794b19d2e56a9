"""Everything that determines a training, as one name: what differs in anything never shares a checkpoint."""

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import pipeline
from pipeline.contract.manifest import MANIFEST_NAME, read_manifest
from pipeline.contract.params import Params
from pipeline.models.devices import device_name, pick_device

KEY_LENGTH = 16
_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "numpy", "tokenizers", "datasets")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


# Where a model lies is no part of what it is.
_PLACES = ("weights", "tokenizer", "adapters")


def checkpoint_key(params: Params, stage: str, inputs: Sequence[Path]) -> str:
    """Name for a stage with these params, inputs, code, libraries and device; inputs are model directories or files."""
    facts = {
        "stage": stage,
        "params": getattr(params, stage).model_dump(),
        "base": [params.base.dtype, params.base.trust_remote_code],
        "versions": {name: metadata.version(name) for name in _LIBRARIES},
        "machine": [platform.python_version(), platform.machine(), device_name(pick_device())],
        # Sums are split by thread.
        "threads": torch.get_num_threads(),
        "inputs": [_fingerprint(path) for path in inputs],
        "code": _code(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:KEY_LENGTH]


def _code() -> dict[str, str]:
    return _hashes(Path(pipeline.__path__[0]), "*.py")


def _fingerprint(path: Path) -> Any:
    """What tells whether an input is the same; a manifest holds the hash of the full weights."""
    if not (path / MANIFEST_NAME).is_file():
        return _hashes(path) if path.is_dir() else _hash(path)
    manifest = read_manifest(path)
    facts = {name: value for name, value in asdict(manifest).items() if name not in _PLACES}
    tokenizer = [_hash(Path(manifest.tokenizer) / name) for name in _TOKENIZER_FILES]
    return [facts, tokenizer, [_hashes(Path(adapter.path)) for adapter in manifest.adapters]]


def _hashes(directory: Path, pattern: str = "*") -> dict[str, str]:
    files = sorted(file for file in directory.rglob(pattern) if file.is_file())
    return {file.relative_to(directory).as_posix(): _hash(file) for file in files}


def _hash(file: Path) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
