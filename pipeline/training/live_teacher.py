"""What a teacher in memory says to answers, token by token."""

from collections.abc import Sequence

import torch

from pipeline.models.inputs import last_logits, model_inputs
from pipeline.models.loading import LoadedModel
from pipeline.models.stopping import pad_token_id


@torch.no_grad()
def answer_logits(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], num_tokens: int
) -> list[torch.Tensor]:
    """For each answer its logits [tokens, vocabulary] in float32, without those of tokens that nobody can say."""
    rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    num_last = max(len(answer) for answer in answers) + 1
    # One more position than tokens: each token is predicted from the one before it.
    inputs = model_inputs(loaded.model, rows, pad_token_id(loaded.tokenizer))
    logits = last_logits(loaded.model, inputs, num_last)[:, :-1, :num_tokens]
    return [own[len(own) - len(answer) :] for own, answer in zip(logits, answers, strict=True)]
