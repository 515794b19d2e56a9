"""model.json, the manifest of a model directory: what it is made of and where its weights lie.

It holds nothing that changes from run to run, such as a time, so that equal models have equal hashes.
Paths are relative to the project's root.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.contract.files import write_json
from pipeline.contract.problems import StageError

MANIFEST_NAME = "model.json"


@dataclass(frozen=True, slots=True)
class Adapter:
    """Weights that are put on top of the base model."""

    path: str
    """Directory with adapter_config.json and adapter_model.safetensors."""
    method: str
    """How it was trained, a value of `train.peft`."""
    num_parameters: int
    """Parameters of the adapter."""


@dataclass(frozen=True, slots=True)
class Step:
    """One training in the history of a model."""

    stage: str
    """Stage that trained it."""
    objective: str
    """What was learned: `sft`, `distill`, `dpo`, and so on."""
    method: str
    """What was trained: a value of `train.peft`, or `full`."""
    num_trainable_parameters: int
    """Parameters that this training changed."""
    frozen_sha256_before: str | None = None
    """Hash of the weights that were not to change, in memory before the first step; None when all were trained."""
    frozen_sha256_after: str | None = None
    """The same after the last step; equal to the one before, or the stage fails."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A model as a stage hands it on."""

    stage: str
    """Stage that wrote it."""
    base_source: str
    """Where the base model came from: `starter`, a path, or a hub id."""
    base_revision: str | None
    """Resolved revision of a hub base."""
    weights: str
    """Directory with the full weights that the adapters go on top of."""
    tokenizer: str
    """Directory with the tokenizer and its chat template."""
    method: str
    """What was trained last: `base` (nothing), `full`, or a value of `train.peft`."""
    adapters: tuple[Adapter, ...]
    """Adapters in the order in which they are applied."""
    num_parameters: int
    """All parameters, adapters included."""
    num_trainable_parameters: int
    """Parameters that the last training changed; 0 for an untouched base."""
    weights_sha256: str
    """Hash of the files in `weights`."""
    lineage: tuple[Step, ...] = ()
    """Trainings that led to this model, the first one first; empty for an untouched base."""

    def write(self, directory: Path) -> None:
        """Write model.json into a model directory."""
        write_json(directory / MANIFEST_NAME, asdict(self))


def read_manifest(directory: Path) -> Manifest:
    """Manifest of a model directory; StageError when there is none or it is damaged."""
    return read_manifest_file(directory / MANIFEST_NAME)


def read_manifest_file(path: Path) -> Manifest:
    """The same of a file, which has another name in a cache."""
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        adapters = tuple(Adapter(**adapter) for adapter in value.pop("adapters"))
        lineage = tuple(Step(**step) for step in value.pop("lineage", ()))
        return Manifest(adapters=adapters, lineage=lineage, **value)
    except FileNotFoundError as error:
        raise StageError(f"{path}: no such file; run the stage that writes it: dvc repro") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StageError(
            f"{path}: not a finetui model manifest ({error}); remove the folder and run dvc repro"
        ) from error
