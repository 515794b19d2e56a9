"""How far an aligned model has moved from the model that its alignment started from."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.models.inputs import last_logits, model_inputs
from pipeline.models.loading import LoadedModel
from pipeline.models.stopping import pad_token_id

Answer = tuple[Sequence[int], Sequence[int]]
"""Token ids of a prompt and of what the policy answered."""


@torch.inference_mode()
def mean_kl(policy: LoadedModel, reference: LoadedModel, answers: Sequence[Answer], batch_size: int) -> float:
    """KL(policy, reference) over the whole vocabulary, in nats per token of the policy's own answers.

    Exact at every position; only the positions are those of one answer per prompt. 0 where nothing was answered.
    """
    spoken = sorted((answer for answer in answers if answer[1]), key=lambda answer: -len(answer[0]) - len(answer[1]))
    total, num_tokens = 0.0, 0
    for first in range(0, len(spoken), batch_size):
        batch = spoken[first : first + batch_size]
        num_last = max(len(completion) for _, completion in batch)
        ours, theirs = (_logprobs(loaded, batch, num_last) for loaded in (policy, reference))
        nats = (ours.exp() * (ours - theirs)).sum(-1)
        for row, (_, completion) in zip(nats, batch, strict=True):
            total += float(row[len(row) - len(completion) :].sum())
            num_tokens += len(completion)
    return total / num_tokens if num_tokens else 0.0


def _logprobs(loaded: LoadedModel, batch: Sequence[Answer], num_last: int) -> Tensor:
    """Log-probabilities of the last tokens, [rows, tokens, vocabulary], each predicted from the one before it."""
    rows = [[*prompt, *completion] for prompt, completion in batch]
    inputs = model_inputs(loaded.model, rows, pad_token_id(loaded.tokenizer))
    return torch.log_softmax(last_logits(loaded.model, inputs, num_last + 1)[:, :-1], dim=-1)
