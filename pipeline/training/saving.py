"""Writes a model directory from the best checkpoint; equal runs give equal bytes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.contract.adapters import ADAPTER_DIR
from pipeline.contract.files import empty_directory
from pipeline.contract.manifest import Adapter, Manifest
from pipeline.models.adapter_files import copy_adapter, count_adapter_parameters
from pipeline.models.loading import load_tokenizer
from pipeline.models.rounding import copy_rounded
from pipeline.models.tokenizer import save_tokenizer
from pipeline.models.weights import CONFIG_FILE, INDEX_FILE, copy_file, hash_weights, weight_files
from pipeline.training.job import Trained
from pipeline.training.residual import plain_adapter


def write_model(directory: Path, start: Manifest, trained: Trained, trust_remote_code: bool) -> Manifest:
    """Fill the folder with what was trained from `start`, its manifest last."""
    empty_directory(directory)
    method = trained.step.method
    changes = _write_full(directory, start, trained, trust_remote_code) if method == "full" else None
    manifest = replace(
        start,
        stage=trained.step.stage,
        method=method,
        num_trainable_parameters=trained.step.num_trainable_parameters,
        lineage=(*start.lineage, trained.step),
        **(changes if changes is not None else _write_adapter(directory, start, trained)),
    )
    manifest.write(directory)
    return manifest


def _write_adapter(directory: Path, start: Manifest, trained: Trained) -> dict[str, Any]:
    """What is written may hold more than was trained (PiSSA), or less (P-tuning leaves its network behind)."""
    target = directory / ADAPTER_DIR
    copy_adapter(plain_adapter(trained.checkpoint), target, start.weights, None)
    num_parameters = count_adapter_parameters(target)
    adapter = Adapter(target.as_posix(), trained.step.method, num_parameters)
    return {"adapters": (*start.adapters, adapter), "num_parameters": start.num_parameters + num_parameters}


def _write_full(directory: Path, start: Manifest, trained: Trained, trust_remote_code: bool) -> dict[str, Any]:
    _copy_weights(trained, directory)
    copy_file(Path(start.weights) / "generation_config.json", directory / "generation_config.json")
    for file in Path(start.weights).glob("*.py"):
        copy_file(file, directory / file.name)
    save_tokenizer(load_tokenizer(Path(start.tokenizer), trust_remote_code), directory)
    name = directory.as_posix()
    return {
        "weights": name,
        "tokenizer": name,
        "adapters": (),
        "num_parameters": trained.num_parameters,
        "weights_sha256": hash_weights(weight_files(directory)),
    }


def _copy_weights(trained: Trained, directory: Path) -> None:
    if trained.rounded_dtype is not None:
        copy_rounded(trained.checkpoint, directory, trained.rounded_dtype)
        return
    names = [file.name for file in weight_files(trained.checkpoint)]
    names += [name for name in (INDEX_FILE, CONFIG_FILE) if (trained.checkpoint / name).is_file()]
    for name in names:
        copy_file(trained.checkpoint / name, directory / name)
