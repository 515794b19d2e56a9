"""Turns a model in memory into files that transformers and peft read without this project."""

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from pipeline.models.loading import LoadedModel, Model
from pipeline.models.tokenizer import save_tokenizer

MAX_SHARD_SIZE = "5GB"


def merge_adapter(model: Model, dtype: torch.dtype | None) -> Any:
    """The plain transformers model in the given type, adapter folded in; a soft prompt is not part of it."""
    bare: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    target = dtype or bare.dtype
    if torch.promote_types(bare.dtype, target) != bare.dtype:
        bare.to(target)
    if isinstance(model, PeftModel) and not model.active_peft_config.is_prompt_learning:
        for layer in model.modules():
            if isinstance(layer, BaseTunerLayer):
                _merge_layer(layer)
        bare = model.unload()
    return bare.to(target)


def save_model(model: Any, loaded: LoadedModel, stop_ids: list[int], directory: Path) -> None:
    """Save weights in shards, tokenizer with chat template, and a generation config that knows every stop token."""
    model.generation_config.eos_token_id = stop_ids
    model.generation_config.pad_token_id = loaded.tokenizer.pad_token_id
    model.save_pretrained(directory, max_shard_size=MAX_SHARD_SIZE)
    save_tokenizer(loaded.tokenizer, directory)
    for file in directory.glob("*.safetensors"):
        # safetensors gives them to their owner alone; whoever may read the config may read the weights.
        file.chmod((directory / "config.json").stat().st_mode)


def _merge_layer(layer: Any) -> None:
    """Add the update in float32, one layer at a time, and round once."""
    weight = layer.get_base_layer().weight
    dtype = weight.dtype
    weight.data = weight.data.float()
    layer.merge(safe_merge=True)
    weight.data = weight.data.to(dtype)
