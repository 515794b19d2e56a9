"""Puts a score in place of the next token: the layers of a language model under a new head."""

import copy
import math
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from pipeline.contract.problems import StageError
from pipeline.models.chat import stop_token_id


def pad_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that fills up short rows; the score is read at the last token that is another one.

    Where the stop token fills up, that is the last one of the answer's text: the score does not depend on the batch.
    """
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(stop_token_id(tokenizer))
    pad_id: Any = tokenizer.pad_token_id
    return int(pad_id)


def with_score(model: PreTrainedModel, pad_id: int, seed: int, trust_remote_code: bool = False) -> PreTrainedModel:
    """The same layers under a new score head, which is drawn by the seed; no weight is copied."""
    config: Any = copy.deepcopy(model.config)
    config.num_labels = 1
    config.get_text_config().pad_token_id = pad_id
    try:
        with torch.device("meta"):
            auto: Any = AutoModelForSequenceClassification
            scored: Any = auto.from_config(config, attn_implementation="sdpa", trust_remote_code=trust_remote_code)
    except ValueError as error:
        raise StageError(
            f"reward.objective: transformers has no form of {config.model_type} that gives a score; take another base"
        ) from error
    prefix = scored.base_model_prefix
    if type(getattr(scored, prefix)) is not type(model.base_model):
        raise StageError(f"reward.objective: the layers of {config.model_type} do not fit under a score head")
    setattr(scored, prefix, model.base_model)
    _draw_head(scored, model, seed)
    result: PreTrainedModel = scored
    return result


def _draw_head(scored: Any, model: PreTrainedModel, seed: int) -> None:
    """Give values to what is still without: a spread at which scores start near 1 (Stiennon et al. 2020)."""
    generator = torch.Generator().manual_seed(seed)
    for module in scored.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_meta:
                spread = 1 / math.sqrt(parameter.shape[-1] + 1) if parameter.dim() > 1 else 0.0
                values = torch.randn(parameter.shape, generator=generator) * spread
                setattr(module, name, torch.nn.Parameter(values.to(model.device, model.dtype)))
