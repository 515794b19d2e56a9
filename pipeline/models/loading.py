"""Loads a model as its manifest describes it: base weights, adapters on top, tokenizer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from pipeline.contract.manifest import Adapter, Manifest
from pipeline.contract.params import Base
from pipeline.contract.problems import StageError
from pipeline.models.adapter_files import adapter_tensors
from pipeline.models.devices import DType, pick_device, pick_dtype

Model = PreTrainedModel | PeftModel


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, in evaluation mode, and its tokenizer."""

    model: Model
    """The base model, wrapped by peft when the manifest has adapters."""
    tokenizer: PreTrainedTokenizerBase
    """Has a chat template and a pad token; pads on the left, as generation needs it."""
    device: torch.device
    """Where the model lies."""


def load_model(manifest: Manifest, params: Base, device: torch.device | None = None) -> LoadedModel:
    """Load weights, adapters and tokenizer from the manifest's folders; StageError when one is missing or damaged."""
    device = device or pick_device()
    model: Model = load_weights(Path(manifest.weights), params.dtype, device, params.trust_remote_code)
    model = put_on(model, manifest.adapters).eval()
    return LoadedModel(model, load_tokenizer(Path(manifest.tokenizer), params.trust_remote_code), device)


def load_merged(manifest: Manifest, params: Base, device: torch.device) -> LoadedModel:
    """Load as `load_model` does, all adapters folded in: what another training starts from."""
    loaded = load_model(manifest, params, device)
    if not manifest.adapters:
        return loaded
    return replace(loaded, model=fold_in(loaded.model, manifest.adapters[-1].path))


def put_on(model: Model, adapters: Sequence[Adapter]) -> Model:
    """Put adapters on a model in their order; all but the last one are folded in."""
    for position, adapter in enumerate(adapters):
        if position:
            model = fold_in(model, adapters[position - 1].path)
        model = load_adapter(model, Path(adapter.path))
    return model


def load_weights(
    directory: Path,
    dtype: DType,
    device: torch.device,
    trust_remote_code: bool = False,
    quantization_config: Any = None,
) -> PreTrainedModel:
    """Load a causal language model from safetensors, on the device; pickled weights are never read."""
    options: dict[str, Any] = {"device_map": {"": device}} if device.type == "cuda" else {}
    if quantization_config is not None:
        options["quantization_config"] = quantization_config
    auto: Any = AutoModelForCausalLM
    try:
        model, report = auto.from_pretrained(
            directory,
            dtype=pick_dtype(dtype, device),
            attn_implementation="sdpa",
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise StageError(f"{directory}: cannot load the model ({_first_line(error)})") from error
    absent = sorted(str(name) for name in (*report["missing_keys"], *report["mismatched_keys"]))
    if absent:
        raise StageError(
            f"{directory}: {len(absent)} tensors are missing or of another shape, the first is {absent[0]}; "
            "they would stay random. Is this a language model (not an encoder, not a classifier)?"
        )
    result: PreTrainedModel = model
    return result


def load_adapter(model: Model, directory: Path, name: str = "default") -> PeftModel:
    """Put an adapter on top of a model, or beside those that it has; StageError when it does not fit."""
    options: dict[str, Any] = {"adapter_name": name, "local_files_only": True, "use_safetensors": True}
    try:
        if isinstance(model, PeftModel):
            model.load_adapter(str(directory), **options)
        else:
            model = PeftModel.from_pretrained(model, str(directory), **options)
    except (OSError, ValueError, RuntimeError, TypeError, SafetensorError) as error:
        raise StageError(f"{directory}: cannot load the adapter ({_first_line(error)})") from error
    # peft warns, and leaves what the file lacks as random as it was made.
    wanted, found = set(get_peft_model_state_dict(model, adapter_name=name)), adapter_tensors(directory)
    if wanted != found:
        first = sorted(wanted ^ found)[0]
        raise StageError(f"{directory}: the adapter does not fit this model, the first tensor in doubt is {first}")
    return model


def load_tokenizer(directory: Path, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model directory, padding on the left."""
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            directory, local_files_only=True, trust_remote_code=trust_remote_code, padding_side="left"
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StageError(f"{directory}: cannot load the tokenizer ({_first_line(error)})") from error
    return tokenizer


def is_soft_prompt(model: Model) -> TypeGuard[PeftModel]:
    """Whether the model has virtual tokens: a prompt or a prefix."""
    return isinstance(model, PeftModel) and bool(model.active_peft_config.is_prompt_learning)


def fold_in(model: Model, path: str) -> PreTrainedModel:
    """Fold the adapter in, so that the next one sits on what it makes of the base model."""
    if not isinstance(model, PeftModel) or is_soft_prompt(model):
        raise StageError(f"{path}: nothing can be put on top of a soft prompt; it must be the last adapter")
    merged: PreTrainedModel = model.merge_and_unload()
    return merged


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
