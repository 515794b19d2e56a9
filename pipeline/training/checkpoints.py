"""Checkpoints lie outside the stage's outputs, in a folder named after everything that determines the stage.

A training starts from nothing and removes its checkpoints at its end, so the name has no reader yet: it is what a
training that goes on after a stop will have to look for.
"""

import contextlib
import hashlib
import json
import re
import shutil
from importlib import metadata
from pathlib import Path

from pipeline.contract import paths
from pipeline.contract.manifest import MANIFEST_NAME
from pipeline.contract.params import Params

_LIBRARIES = ("torch", "transformers", "trl", "peft")
_TOKENIZER_FILES = ("tokenizer.json", "chat_template.jinja")
_KEY_LENGTH = 16
_KEY = re.compile(rf"[0-9a-f]{{{_KEY_LENGTH}}}")


def checkpoint_dir(params: Params, device_name: str) -> Path:
    """Folder for the checkpoints of a training with these params, this base model, this data and this device."""
    base = paths.model_dir("base")
    files = [base / name for name in (MANIFEST_NAME, *_TOKENIZER_FILES)]
    files += [paths.split_file("train"), paths.split_file("validation")]
    versions = {name: metadata.version(name) for name in _LIBRARIES}
    digest = hashlib.sha256(
        json.dumps([params.train.model_dump(), params.base.dtype, versions, device_name], sort_keys=True).encode()
    )
    for file in files:
        digest.update(_hash(file))
    return paths.CHECKPOINTS / digest.hexdigest()[:_KEY_LENGTH]


def remove_checkpoints(directory: Path) -> None:
    """Remove the checkpoints of one training, and their parent when nothing else is in it."""
    shutil.rmtree(directory, ignore_errors=True)
    with contextlib.suppress(OSError):
        directory.parent.rmdir()


def sweep_checkpoints() -> None:
    """Remove what failed trainings left, whatever their params were; other things in the folder stay."""
    folders = list(paths.CHECKPOINTS.iterdir()) if paths.CHECKPOINTS.is_dir() else []
    for folder in folders:
        if _KEY.fullmatch(folder.name):
            remove_checkpoints(folder)


def _hash(file: Path) -> bytes:
    if not file.is_file():
        return b"-"
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
