"""Rows of token ids as what a model takes: padded on the left, a soft prompt in front of each row's own tokens."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from peft import PeftModel
from peft.utils import PeftType

from pipeline.contract.problems import StageError
from pipeline.models.loading import Model

_EMBEDDED_PROMPTS = (PeftType.PROMPT_TUNING, PeftType.P_TUNING)


def bare_model(model: Model) -> Any:
    """The transformers model inside; LoRA layers are part of it, a soft prompt is not."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def model_inputs(model: Model, rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """Inputs of `bare_model` for a batch of rows."""
    prompt = _soft_prompt(model)
    num_virtual = 0 if prompt is None else len(prompt)
    ids, mask = pad_left([[*[pad_id] * num_virtual, *row] for row in rows], pad_id, _device(model))
    if prompt is None:
        return {"input_ids": ids, "attention_mask": mask}
    embeds = bare_model(model).get_input_embeddings()(ids)
    for row, num_pads in enumerate((mask == 0).sum(1).tolist()):
        # Behind the padding: peft puts it in front of that, further away from the words of a short row.
        embeds[row, num_pads : num_pads + num_virtual] = prompt.to(embeds.dtype)
    return {"inputs_embeds": embeds, "attention_mask": mask}


def pad_left(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids of equal length, and the mask that is 0 on the padding."""
    width = max(len(row) for row in rows)
    ids = [[pad_id] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def last_logits(model: Model, inputs: dict[str, torch.Tensor], num_last: int) -> torch.Tensor:
    """Logits of the last positions in float32; positions count from each row's first real token."""
    bare = bare_model(model)
    optional = {
        "position_ids": (inputs["attention_mask"].cumsum(1) - 1).clamp(min=0),
        "logits_to_keep": num_last,
        "use_cache": False,
    }
    accepted = inspect.signature(bare.forward).parameters
    output = bare(**inputs, **{name: value for name, value in optional.items() if name in accepted})
    logits: torch.Tensor = output.logits[:, -num_last:].float()
    return logits


def _soft_prompt(model: Model) -> torch.Tensor | None:
    """Embeddings of the virtual tokens, if the model has some."""
    if not isinstance(model, PeftModel) or not model.active_peft_config.is_prompt_learning:
        return None
    if model.active_peft_config.peft_type not in _EMBEDDED_PROMPTS:
        raise StageError(f"cannot batch an adapter of type {model.active_peft_config.peft_type}")
    prompt: torch.Tensor = model.get_prompt(batch_size=1)[0]
    return prompt


def _device(model: Model) -> torch.device:
    device: torch.device = bare_model(model).get_input_embeddings().weight.device
    return device
