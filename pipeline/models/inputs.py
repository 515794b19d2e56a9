"""Rows of token ids as what a model takes: padded on the left, a soft prompt in front of each row's own tokens."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from peft import PeftModel
from peft.utils import PeftType

from pipeline.models.loading import Model, is_soft_prompt


def bare_model(model: Model) -> Any:
    """The transformers model inside; LoRA layers are part of it, a soft prompt is not."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def model_inputs(model: Model, rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, Any]:
    """Inputs of `bare_model.generate` for a batch of rows; a prefix is a cache, which each call fills further."""
    if not is_soft_prompt(model):
        ids, mask = pad_left(rows, pad_id, _device(model))
        return {"input_ids": ids, "attention_mask": mask}
    if model.active_peft_config.peft_type == PeftType.PREFIX_TUNING:
        return _behind_prefix(model, rows, pad_id)
    return _behind_prompt(model, rows, pad_id)


def pad_left(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids of equal length, and the mask that is 0 on the padding."""
    width = max(len(row) for row in rows)
    ids = [[pad_id] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def last_logits(model: Model, inputs: dict[str, Any], num_last: int) -> torch.Tensor:
    """Logits of the last positions in float32; positions count from each row's first real token."""
    bare = bare_model(model)
    prefix = inputs.get("past_key_values")
    num_cached = 0 if prefix is None else prefix.get_seq_length()
    given = {**inputs, "input_ids": inputs["input_ids"][:, num_cached:]} if num_cached else inputs
    optional = {
        "position_ids": (inputs["attention_mask"].cumsum(1) - 1).clamp(min=0)[:, num_cached:],
        "logits_to_keep": num_last,
        "use_cache": num_cached > 0,
    }
    accepted = inspect.signature(bare.forward).parameters
    output = bare(**given, **{name: value for name, value in optional.items() if name in accepted})
    logits: torch.Tensor = output.logits[:, -num_last:].float()
    return logits


def _behind_prompt(model: PeftModel, rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, Any]:
    """Embeddings of the virtual tokens, then of each row."""
    prompt = model.get_prompt(batch_size=1)[0]
    ids, mask = pad_left([[*[pad_id] * len(prompt), *row] for row in rows], pad_id, _device(model))
    embeds = bare_model(model).get_input_embeddings()(ids)
    for row, num_pads in enumerate((mask == 0).sum(1).tolist()):
        # Behind the padding: peft puts it in front of that, further away from the words of a short row.
        embeds[row, num_pads : num_pads + len(prompt)] = prompt.to(embeds.dtype)
    return {"inputs_embeds": embeds, "attention_mask": mask}


def _behind_prefix(model: PeftModel, rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, Any]:
    """The prefix as the first part of the cache; the ids count it in, as in an answer that goes on."""
    prefix: Any = model.get_prompt(batch_size=len(rows))  # a cache here, declared as the tensor of other methods
    num_virtual = prefix.get_seq_length()
    ids, mask = pad_left(rows, pad_id, _device(model))
    first = ids.new_full((len(rows), num_virtual), pad_id)
    return {
        "input_ids": torch.cat([first, ids], 1),
        "attention_mask": torch.cat([torch.ones_like(first), mask], 1),
        "past_key_values": prefix,
    }


def _device(model: Model) -> torch.device:
    device: torch.device = bare_model(model).get_input_embeddings().weight.device
    return device
