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
    """`lora` or `prompt_tuning`."""
    num_parameters: int
    """Parameters of the adapter."""


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
    """`base`, `full`, `lora`, `prompt_tuning`: what was trained last."""
    adapters: tuple[Adapter, ...]
    """Adapters in the order in which they are applied."""
    num_parameters: int
    """All parameters, adapters included."""
    num_trainable_parameters: int
    """Parameters that the last training changed; 0 for an untouched base."""
    weights_sha256: str
    """Hash of the base model's weights files."""

    def write(self, directory: Path) -> None:
        """Write model.json into a model directory."""
        write_json(directory / MANIFEST_NAME, asdict(self))


def read_manifest(directory: Path) -> Manifest:
    """Manifest of a model directory; StageError when there is none or it is damaged."""
    path = directory / MANIFEST_NAME
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        adapters = tuple(Adapter(**adapter) for adapter in value.pop("adapters"))
        return Manifest(adapters=adapters, **value)
    except FileNotFoundError as error:
        raise StageError(f"{path}: no such file; run the stage that writes it: dvc repro") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StageError(
            f"{path}: not a finetui model manifest ({error}); remove the folder and run dvc repro"
        ) from error
