"""What the files of an adapter tell, without any library that could load it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.contract.manifest import MANIFEST_NAME, Manifest, read_manifest
from pipeline.contract.problems import StageError

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_DIR = "adapter"
_SHOWN = 12
# The format: the length of the header, the header as JSON, the tensors.
_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 100_000_000
_METHODS = {
    "LORA": "lora",
    "IA3": "ia3",
    "PROMPT_TUNING": "prompt_tuning",
    "PREFIX_TUNING": "prefix_tuning",
    "P_TUNING": "p_tuning",
}


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """One adapter."""

    path: str
    """Its folder."""
    method: str
    """A value of `train.peft`, or peft's own name of another method."""
    variant: str
    """What differs from the plain method: `dora`, `rslora`, or both; empty for none."""
    size: int | None
    """Largest rank, or number of virtual tokens; None for methods without either."""
    alpha: float | None
    """LoRA's alpha."""
    num_parameters: int
    """Parameters in its file."""
    num_bytes: int
    """Bytes of its file."""
    base_sha256: str | None
    """Hash of the weights it was trained on, by the manifest beside it; None where there is none."""
    targets: tuple[str, ...]
    """Modules that it changes; empty for a soft prompt."""
    below: tuple[str, ...] = ()
    """Adapters that it sits on, by the manifest beside it."""


def read_adapter(folder: Path) -> AdapterFacts:
    """Facts of an adapter, or of the one in a model directory; StageError when there is none or it is damaged."""
    directory = folder if (folder / ADAPTER_CONFIG).is_file() else folder / ADAPTER_DIR
    try:
        with (directory / ADAPTER_WEIGHTS).open("rb") as weights:
            config = (directory / ADAPTER_CONFIG).read_bytes()
            return adapter_facts(directory.as_posix(), config, weights, _manifest(directory))
    except FileNotFoundError as error:
        raise StageError(f"{folder}: holds no adapter ({ADAPTER_CONFIG} and {ADAPTER_WEIGHTS})") from error
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise StageError(f"{folder}: not a complete adapter ({error})") from error


def adapter_facts(path: str, config: bytes, weights: BinaryIO, manifest: Manifest | None) -> AdapterFacts:
    """Facts of an adapter, wherever its files lie; ValueError, KeyError or TypeError when they are damaged."""
    values: dict[str, Any] = json.loads(config)
    shapes = tensor_shapes(weights)
    return AdapterFacts(
        path=path,
        method=_METHODS.get(str(values["peft_type"]), str(values["peft_type"]).lower()),
        variant=" ".join(name for name in ("dora", "rslora") if values.get(f"use_{name}")),
        size=_size(values),
        alpha=values.get("lora_alpha"),
        num_parameters=sum(math.prod(shape) for shape in shapes.values()),
        num_bytes=weights.seek(0, 2),
        base_sha256=manifest.weights_sha256 if manifest else None,
        targets=_targets(values.get("target_modules")),
        below=tuple(adapter.path for adapter in manifest.adapters[:-1]) if manifest else (),
    )


def tensor_shapes(weights: BinaryIO) -> dict[str, list[int]]:
    """Shapes of the tensors in a safetensors file, from its header alone; ValueError when that is cut off."""
    num_bytes = int.from_bytes(weights.read(_LENGTH_BYTES), "little")
    if num_bytes > _MAX_HEADER_BYTES:
        raise ValueError("no safetensors file")
    header = json.loads(weights.read(num_bytes))
    return {name: tensor["shape"] for name, tensor in header.items() if name != "__metadata__"}


def check_same_base(start: Manifest, adapters: Sequence[AdapterFacts]) -> None:
    """StageError unless all adapters sit on this very model, as far as the manifests beside them tell."""
    for facts in adapters:
        if facts.base_sha256 not in (None, start.weights_sha256):
            raise StageError(
                f"{facts.path} was trained on another base ({str(facts.base_sha256)[:_SHOWN]}) than {start.weights} "
                f"({start.weights_sha256[:_SHOWN]}); leave it out"
            )
        if facts.below:
            raise StageError(
                f"{facts.path} sits on another adapter ({facts.below[-1]}), not on the base itself; leave it out"
            )


def _manifest(directory: Path) -> Manifest | None:
    """The manifest beside an adapter or one folder above it."""
    place = next((place for place in (directory, directory.parent) if (place / MANIFEST_NAME).is_file()), None)
    return None if place is None else read_manifest(place)


def _size(config: Mapping[str, Any]) -> int | None:
    if "r" in config:
        return max([int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())])
    return config.get("num_virtual_tokens")


def _targets(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(sorted(value or ()))
