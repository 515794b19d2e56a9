"""The files of an adapter, and how they are handed on."""

import json
import math
from pathlib import Path

from pipeline.contract.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS, tensor_shapes
from pipeline.contract.files import write_json
from pipeline.contract.problems import StageError
from pipeline.models.weights import copy_file

SOFT_PROMPTS = ("prompt_tuning", "prefix_tuning", "p_tuning")
"""Methods whose result cannot be merged into the weights."""


def copy_adapter(source: Path, directory: Path, base_name: str, base_revision: str | None) -> None:
    """Copy an adapter; its config names the base model as its next reader knows it, and comes out equal every time."""
    try:
        config = json.loads((source / ADAPTER_CONFIG).read_bytes())
        # Sets come out in another order in every process.
        ordered = {name: sorted(value) if _is_names(value) else value for name, value in sorted(config.items())}
        ordered.update(base_model_name_or_path=base_name, revision=base_revision)
        write_json(directory / ADAPTER_CONFIG, ordered)
        copy_file(source / ADAPTER_WEIGHTS, directory / ADAPTER_WEIGHTS)
    except (FileNotFoundError, ValueError, AttributeError) as error:
        raise StageError(f"{source}: not a complete adapter ({error}); run dvc repro") from error


def adapter_tensors(directory: Path) -> set[str]:
    """Names of the tensors in the adapter's file."""
    with (directory / ADAPTER_WEIGHTS).open("rb") as weights:
        return set(tensor_shapes(weights))


def count_adapter_parameters(directory: Path) -> int:
    """Parameters in the adapter's file."""
    with (directory / ADAPTER_WEIGHTS).open("rb") as weights:
        return sum(math.prod(shape) for shape in tensor_shapes(weights).values())


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
