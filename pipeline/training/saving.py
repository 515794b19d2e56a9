"""Writes a model directory from the best checkpoint; equal runs give equal bytes."""

from pathlib import Path

from pipeline.contract.manifest import Adapter, Manifest
from pipeline.contract.params import Params
from pipeline.models.adapter_files import copy_adapter
from pipeline.models.loading import load_tokenizer
from pipeline.models.materialise import empty_directory
from pipeline.models.rounding import copy_rounded
from pipeline.models.tokenizer import save_tokenizer
from pipeline.models.weights import CONFIG_FILE, INDEX_FILE, copy_file, hash_weights, weight_files
from pipeline.training.sft import Trained

ADAPTER_DIR = "adapter"


def write_model(directory: Path, params: Params, base: Manifest, trained: Trained) -> Manifest:
    """Fill the folder with what was trained, its manifest last."""
    empty_directory(directory)
    if params.train.peft == "none":
        manifest = _write_full(directory, params, base, trained)
    else:
        manifest = _write_adapter(directory, params.train.peft, base, trained)
    manifest.write(directory)
    return manifest


def untouched(base: Manifest) -> Manifest:
    """Manifest of a stage that passes the base model on."""
    return _successor(base, "base", base.weights, base.tokenizer, (), base.num_parameters, 0, base.weights_sha256)


def _write_adapter(directory: Path, method: str, base: Manifest, trained: Trained) -> Manifest:
    target = directory / ADAPTER_DIR
    copy_adapter(trained.checkpoint, target, base.weights, None)
    adapter = Adapter(target.as_posix(), method, trained.num_trainable_parameters)
    return _successor(
        base,
        method,
        base.weights,
        base.tokenizer,
        (*base.adapters, adapter),
        trained.num_parameters,
        trained.num_trainable_parameters,
        base.weights_sha256,
    )


def _write_full(directory: Path, params: Params, base: Manifest, trained: Trained) -> Manifest:
    _copy_weights(trained, directory)
    copy_file(Path(base.weights) / "generation_config.json", directory / "generation_config.json")
    for file in Path(base.weights).glob("*.py"):
        copy_file(file, directory / file.name)
    save_tokenizer(load_tokenizer(Path(base.tokenizer), params.base.trust_remote_code), directory)
    return _successor(
        base,
        "full",
        directory.as_posix(),
        directory.as_posix(),
        (),
        trained.num_parameters,
        trained.num_trainable_parameters,
        hash_weights(weight_files(directory)),
    )


def _copy_weights(trained: Trained, directory: Path) -> None:
    if trained.rounded_dtype is not None:
        copy_rounded(trained.checkpoint, directory, trained.rounded_dtype)
        return
    names = [file.name for file in weight_files(trained.checkpoint)]
    names += [name for name in (INDEX_FILE, CONFIG_FILE) if (trained.checkpoint / name).is_file()]
    for name in names:
        copy_file(trained.checkpoint / name, directory / name)


def _successor(
    base: Manifest,
    method: str,
    weights: str,
    tokenizer: str,
    adapters: tuple[Adapter, ...],
    num_parameters: int,
    num_trainable_parameters: int,
    weights_sha256: str,
) -> Manifest:
    return Manifest(
        stage="train",
        base_source=base.base_source,
        base_revision=base.base_revision,
        weights=weights,
        tokenizer=tokenizer,
        method=method,
        adapters=adapters,
        num_parameters=num_parameters,
        num_trainable_parameters=num_trainable_parameters,
        weights_sha256=weights_sha256,
    )
