"""Joins several LoRA adapters of one base into one, without training anything.

What is joined are the updates themselves, scale * B A, as the papers have it. peft's shorter ways join A with A and B
with B, and the products then hold every update times every other.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from peft import PeftModel
from peft.tuners.lora import LoraLayer

from pipeline.contract.manifest import MANIFEST_NAME, Adapter, Manifest, Step, read_manifest
from pipeline.contract.params import Base, Merge
from pipeline.contract.problems import StageError
from pipeline.models.adapter_files import ADAPTER_CONFIG, copy_adapter, count_adapter_parameters
from pipeline.models.devices import pick_device
from pipeline.models.loading import load_adapter, load_weights
from pipeline.models.materialise import empty_directory
from pipeline.models.seeding import make_deterministic
from pipeline.training.saving import ADAPTER_DIR

_KEY = "train.merge.adapters"
_MERGED = "merged"
# `cat` is the exact sum; the others cut the sum of what they keep back to the rank that the sum would have.
_PEFT_NAMES = {
    "linear": "cat",
    "ties": "ties_svd",
    "dare_linear": "dare_linear_svd",
    "dare_ties": "dare_ties_svd",
    "magnitude_prune": "magnitude_prune_svd",
}


def merge_adapters(params: Merge, start: Manifest, base: Base, directory: Path, seed: int = 0) -> Manifest:
    """Write a model directory with one adapter that is made of those in `params`; equal seeds give equal bytes."""
    folders = [Path(adapter.path) for adapter in params.adapters]
    ranks = [_rank(folder, start) for folder in folders]
    make_deterministic(seed, start.num_parameters)
    model = _load(folders, start, base)
    _join(model, params, sum(ranks))
    empty_directory(directory)
    target = directory / ADAPTER_DIR
    with TemporaryDirectory(dir=directory.parent) as scratch:
        model.save_pretrained(scratch, selected_adapters=[_MERGED])
        copy_adapter(Path(scratch) / _MERGED, target, start.weights, None)
    manifest = _manifest(start, target)
    manifest.write(directory)
    return manifest


def _rank(folder: Path, start: Manifest) -> int:
    """Rank of an adapter; StageError when it is none that can be joined, or none of this base."""
    config = _config(folder)
    if config.get("peft_type") != "LORA" or config.get("use_dora"):
        kind = "a DoRA" if config.get("use_dora") else f"of type {config.get('peft_type')}"
        raise StageError(f"{_KEY}: {folder} is {kind}; only plain LoRA adapters are sums that can be joined")
    _check_same_base(folder, start)
    return max([int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())])


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_bytes())
    except FileNotFoundError as error:
        raise StageError(f"{_KEY}: {folder} holds no adapter; name folders with {ADAPTER_CONFIG}") from error
    except ValueError as error:
        raise StageError(f"{_KEY}: {folder / ADAPTER_CONFIG} is not JSON ({error}); fetch the adapter again") from error
    return config if isinstance(config, dict) else {}


def _check_same_base(folder: Path, start: Manifest) -> None:
    """By the manifest beside an adapter, where there is one; else its shapes must do."""
    known = next((place for place in (folder, folder.parent) if (place / MANIFEST_NAME).is_file()), None)
    if known is None:
        return
    manifest = read_manifest(known)
    if manifest.weights_sha256 != start.weights_sha256:
        raise StageError(
            f"{_KEY}: {folder} was trained on another base, {manifest.base_source} {manifest.weights_sha256[:12]}, "
            f"not {start.base_source} {start.weights_sha256[:12]}; leave it out"
        )
    if len(manifest.adapters) > 1:
        below = manifest.adapters[-2].path
        raise StageError(f"{_KEY}: {folder} sits on another adapter ({below}), not on the base itself; leave it out")


def _load(folders: Sequence[Path], start: Manifest, base: Base) -> PeftModel:
    """The base with all adapters, in float32: sums are rounded once, when they are used."""
    bare: Any = load_weights(Path(start.weights), "float32", pick_device(), base.trust_remote_code)
    model: PeftModel | None = None
    for position, folder in enumerate(folders):
        model = load_adapter(model or bare, folder, _name(position))
    if model is None:
        raise StageError(f"{_KEY} is []: name the adapters to join")
    return model


def _join(model: PeftModel, params: Merge, rank: int) -> None:
    """Add the merged adapter to those it is made of."""
    names = [_name(position) for position in range(len(params.adapters))]
    weights = [adapter.weight for adapter in params.adapters]
    first: Any = model.peft_config[names[0]]
    # The new adapter takes over this switch, and with it a scale other than 1; each old one has its scale already.
    first.use_rslora = False
    layers: list[Any] = [layer for layer in model.modules() if isinstance(layer, LoraLayer)]
    smallest = min(min(layer.in_features, layer.out_features) for layer in layers)
    try:
        tuner: Any = model.base_model
        tuner.add_weighted_adapter(
            names,
            weights,
            _MERGED,
            combination_type=_PEFT_NAMES[params.combination],
            svd_rank=min(rank, smallest),
            svd_full_matrices=False,
            density=params.density,
        )
    except ValueError as error:
        raise StageError(f"train.merge: these adapters cannot be joined ({error})") from error


def _name(position: int) -> str:
    """A bare number would be taken for that of a layer."""
    return f"adapter_{position:03}"


def _manifest(start: Manifest, target: Path) -> Manifest:
    num_parameters = count_adapter_parameters(target)
    return replace(
        start,
        stage="train",
        method="lora",
        adapters=(*start.adapters, Adapter(target.as_posix(), "lora", num_parameters)),
        num_parameters=start.num_parameters + num_parameters,
        num_trainable_parameters=num_parameters,
        lineage=(*start.lineage, Step("train", "merge", "lora", num_parameters)),
    )
