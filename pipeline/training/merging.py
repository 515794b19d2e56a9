"""Joins several LoRA adapters of one base into one, without training anything.

What is joined are the updates themselves, scale * B A, as the papers have it. peft's shorter ways join A with A and B
with B, and the products then hold every update times every other.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from peft import PeftModel
from peft.tuners.lora import LoraLayer

from pipeline.contract.adapters import ADAPTER_DIR, AdapterFacts, check_same_base, read_adapter
from pipeline.contract.files import empty_directory
from pipeline.contract.manifest import Adapter, Manifest, Step
from pipeline.contract.params import Base, Merge
from pipeline.contract.problems import StageError
from pipeline.contract.tracked import warn_unless_dep
from pipeline.models.adapter_files import copy_adapter, count_adapter_parameters
from pipeline.models.devices import pick_device
from pipeline.models.loading import load_adapter, load_weights
from pipeline.models.seeding import make_deterministic

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
    adapters = [_check(Path(adapter.path), start) for adapter in params.adapters]
    make_deterministic(seed, start.num_parameters)
    model = _load([Path(facts.path) for facts in adapters], start, base)
    _join(model, params, sum(facts.size or 0 for facts in adapters))
    empty_directory(directory)
    target = directory / ADAPTER_DIR
    with TemporaryDirectory(dir=directory.parent) as scratch:
        model.save_pretrained(scratch, selected_adapters=[_MERGED])
        copy_adapter(Path(scratch) / _MERGED, target, start.weights, None)
    manifest = _manifest(start, target)
    manifest.write(directory)
    return manifest


def _check(folder: Path, start: Manifest) -> AdapterFacts:
    """Facts of an adapter; StageError when it is none that can be joined, or none of this base."""
    try:
        facts = read_adapter(folder)
        check_same_base(start, [facts])
    except StageError as error:
        raise StageError(f"train.merge.adapters: {error}") from error
    if facts.method != "lora" or "dora" in facts.variant.split():
        raise StageError(
            f"train.merge.adapters: {folder} is {facts.variant or facts.method}; "
            "only plain LoRA adapters are sums that can be joined"
        )
    warn_unless_dep("train", folder, "train.merge.adapters")
    return facts


def _load(folders: Sequence[Path], start: Manifest, base: Base) -> PeftModel:
    """The base with all adapters, in float32: sums are rounded once, when they are used."""
    bare: Any = load_weights(Path(start.weights), "float32", pick_device(), base.trust_remote_code)
    model: PeftModel | None = None
    for position, folder in enumerate(folders):
        model = load_adapter(model or bare, folder, _name(position))
    if model is None:
        raise StageError("train.merge.adapters is []: name the adapters to join")
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
