"""What the files of an adapter tell, without loading a model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from pipeline.contract.manifest import MANIFEST_NAME, Manifest, read_manifest
from pipeline.contract.problems import StageError
from pipeline.models.adapter_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, count_adapter_parameters

_SHOWN = 12
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
    directory = folder if (folder / ADAPTER_CONFIG).is_file() else folder / "adapter"
    try:
        config: dict[str, Any] = json.loads((directory / ADAPTER_CONFIG).read_bytes())
        manifest = _manifest(directory)
        return AdapterFacts(
            path=directory.as_posix(),
            method=_METHODS.get(str(config["peft_type"]), str(config["peft_type"]).lower()),
            variant=" ".join(name for name in ("dora", "rslora") if config.get(f"use_{name}")),
            size=_size(config),
            alpha=config.get("lora_alpha"),
            num_parameters=count_adapter_parameters(directory),
            num_bytes=(directory / ADAPTER_WEIGHTS).stat().st_size,
            base_sha256=manifest.weights_sha256 if manifest else None,
            targets=_targets(config.get("target_modules")),
            below=tuple(adapter.path for adapter in manifest.adapters[:-1]) if manifest else (),
        )
    except FileNotFoundError as error:
        raise StageError(f"{folder}: holds no adapter ({ADAPTER_CONFIG} and {ADAPTER_WEIGHTS})") from error
    except (ValueError, KeyError, TypeError, AttributeError, SafetensorError, OSError) as error:
        raise StageError(f"{folder}: not a complete adapter ({error})") from error


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
