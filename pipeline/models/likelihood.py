"""How likely a language model finds given answers."""

import inspect

import torch
from transformers import PreTrainedModel

from pipeline.models.inputs import bare_model
from pipeline.models.loading import Model


def answer_log_probs(
    model: Model | PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, answer_mask: torch.Tensor
) -> torch.Tensor:
    """Mean log-probability of each row's answer tokens, in float32; rows are padded on the right."""
    first = int(answer_mask.int().argmax(1).min())
    # One position earlier each token is predicted; logits of the prompt are not computed where a model can leave them.
    num_last = ids.shape[1] - first + 1
    accepted = inspect.signature(bare_model(model).forward).parameters
    options = {"logits_to_keep": num_last} if "logits_to_keep" in accepted else {}
    output = model(input_ids=ids, attention_mask=mask, use_cache=False, **options)
    logits = output.logits[:, -num_last:-1].float()
    targets, wanted = ids[:, first:], answer_mask[:, first:]
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    sums = -(losses.view(targets.shape) * wanted).sum(1)
    result: torch.Tensor = sums / wanted.sum(1)
    return result
