"""What the layers of a decoder are called: where IA3 puts its factors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.utils.constants import (
    TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as PEFT_FEEDFORWARD,
)
from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as PEFT_TARGETS
from transformers.pytorch_utils import Conv1D

from pipeline.contract.problems import StageError

# Keys and values apart, or in one projection; the names are those of the architectures in transformers.
_ATTENTION = (
    ("k_proj", "v_proj"),
    ("key_proj", "value_proj"),
    ("key", "value"),
    ("c_attn",),
    ("query_key_value",),
    ("qkv_proj",),
    ("Wqkv",),
)
_DOWN = ("down_proj", "mlp.c_proj", "fc2", "fc_out", "dense_4h_to_h", "w2")


@dataclass(frozen=True, slots=True)
class Ia3Modules:
    """Where IA3 rescales."""

    targets: tuple[str, ...]
    """Modules whose outputs are rescaled, and those of `feedforward`."""
    feedforward: tuple[str, ...]
    """Modules whose inputs are rescaled."""


def ia3_modules(
    model: Any, targets: Sequence[str] | None, feedforward: Sequence[str] | None, section: str
) -> Ia3Modules:
    """The modules named in params, else keys, values and the down projection of this model."""
    names = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear | Conv1D)]
    if targets is not None:
        return _named(names, targets, feedforward, section)
    found = _keys_values_and_down(names) or _known_to_peft(model.config.model_type, names)
    if found is None:
        raise StageError(
            f"{section}.ia3.target_modules is null: no layers for keys, values and the down projection are known for "
            f"the architecture {model.config.model_type!r}; name them. It has: {', '.join(_leaves(names))}"
        )
    return found


def _named(names: Sequence[str], targets: Sequence[str], feedforward: Sequence[str] | None, section: str) -> Ia3Modules:
    down = tuple(name for name in targets if name in _DOWN) if feedforward is None else tuple(feedforward)
    for key, given in (("target_modules", targets), ("feedforward_modules", down)):
        for name in given:
            if not _has(names, name):
                raise StageError(
                    f"{section}.ia3.{key}: the base model has no layer {name!r}; it has: {', '.join(_leaves(names))}"
                )
    if beyond := [name for name in down if name not in targets]:
        raise StageError(
            f"{section}.ia3.feedforward_modules: {beyond[0]!r} is not in {section}.ia3.target_modules; add it there"
        )
    return Ia3Modules(tuple(targets), down)


def _keys_values_and_down(names: Sequence[str]) -> Ia3Modules | None:
    attention = next((group for group in _ATTENTION if all(_has(names, name) for name in group)), None)
    down = next((name for name in _DOWN if _has(names, name)), None)
    return None if attention is None or down is None else Ia3Modules((*attention, down), (down,))


def _known_to_peft(model_type: str, names: Sequence[str]) -> Ia3Modules | None:
    targets = tuple(PEFT_TARGETS.get(model_type, ()))
    if not targets or not all(_has(names, name) for name in targets):
        return None
    return Ia3Modules(targets, tuple(PEFT_FEEDFORWARD.get(model_type, ())))


def _has(names: Iterable[str], suffix: str) -> bool:
    return any(name == suffix or name.endswith(f".{suffix}") for name in names)


def _leaves(names: Iterable[str]) -> list[str]:
    return sorted({name.rsplit(".", 1)[-1] for name in names})
