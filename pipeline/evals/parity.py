"""Answers to probe prompts before and after an export, and how they differ."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch

from pipeline.models.chat import encode_prompt
from pipeline.models.generation import Decoding, generate
from pipeline.models.inputs import last_logits, model_inputs
from pipeline.models.loading import LoadedModel
from pipeline.models.messages import Message
from pipeline.models.stopping import pad_token_id, stop_token_ids

Prompt = list[Message]

# A token that is not among the likeliest was no rival.
_NUM_RIVALS = 8
# Gap between two logits that rounding can close, in units of the last place of the largest: a right merge into bfloat16
# stayed below 4 in every answer tried, one with a tenth of the update missing did not.
_TIE_ROUNDINGS = 4


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a model makes of one prompt."""

    prompt_ids: list[int]
    """The prompt as its tokenizer and chat template write it."""
    answer_ids: list[int]
    """Its greedy answer."""
    logits: torch.Tensor
    """Logits of the answer's first token, float32, on the CPU."""
    rivals: tuple[dict[int, float], ...] = ()
    """For each token of the answer, the logits of the likeliest tokens at its place; known before the export alone."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answers of two models side by side."""

    num_probes: int
    """Prompts that both were asked."""
    num_equal: int
    """Prompts that both wrote and answered with the same token ids."""
    num_ties: int
    """Prompts whose answers part where two tokens were so close that rounding decides."""
    max_logit_difference: float
    """Largest absolute difference of a logit."""
    first_difference: str | None
    """Where the first answers part that no tie excuses; None when there are none."""


@torch.inference_mode()
def answer_probes(
    loaded: LoadedModel, prompts: Sequence[Prompt], max_new_tokens: int, on_answer: Callable[[], None]
) -> list[ProbeAnswer]:
    """Answer the prompts one by one, so that no answer depends on its neighbours in a batch."""
    decoding = Decoding(max_new_tokens, stop_token_ids(loaded), pad_token_id(loaded.tokenizer))
    answers = []
    for prompt in prompts:
        ids = encode_prompt(loaded.tokenizer, prompt)
        answer_ids = generate(loaded.model, [ids], decoding)[0]
        inputs = model_inputs(loaded.model, [[*ids, *answer_ids]], decoding.pad_id)
        logits = last_logits(loaded.model, inputs, len(answer_ids) + 1)[0, :-1].cpu()
        answers.append(ProbeAnswer(ids, answer_ids, logits[0], tuple(_likeliest(row) for row in logits)))
        on_answer()
    return answers


def compare(expected: Sequence[ProbeAnswer], found: Sequence[ProbeAnswer], dtype: torch.dtype) -> Comparison:
    """Compare answers prompt by prompt; `dtype` is the coarsest number type that either model computed in."""
    pairs = list(zip(expected, found, strict=True))
    unequal = [(number, *pair) for number, pair in enumerate(pairs) if not _equal(*pair)]
    changed = [(number, one, other) for number, one, other in unequal if not is_tie(one, other, dtype)]
    return Comparison(
        num_probes=len(pairs),
        num_equal=len(pairs) - len(unequal),
        num_ties=len(unequal) - len(changed),
        max_logit_difference=max((float((one.logits - other.logits).abs().max()) for one, other in pairs), default=0.0),
        first_difference=_in_words(*changed[0]) if changed else None,
    )


def is_tie(expected: ProbeAnswer, found: ProbeAnswer, dtype: torch.dtype) -> bool:
    """Whether two answers to the same prompt part where the gap of the two tokens is within the rounding of `dtype`."""
    place = first_difference(expected.answer_ids, found.answer_ids)
    if expected.prompt_ids != found.prompt_ids or place is None or place >= len(expected.answer_ids):
        return False
    rivals = expected.rivals[place]
    if place >= len(found.answer_ids) or found.answer_ids[place] not in rivals:
        return False
    gap = max(rivals.values()) - rivals[found.answer_ids[place]]
    return gap <= _TIE_ROUNDINGS * torch.finfo(dtype).eps * max(abs(logit) for logit in rivals.values())


def first_difference(one: Sequence[int], other: Sequence[int]) -> int | None:
    """Position of the first token in which two sequences differ, the end of one included.

    >>> first_difference([1, 2], [1, 3]), first_difference([1], [1, 2]), first_difference([1], [1])
    (1, 1, None)
    """
    pairs = enumerate(zip_longest(one, other))
    return next((position for position, (token, other_token) in pairs if token != other_token), None)


def _likeliest(logits: torch.Tensor) -> dict[int, float]:
    values, tokens = logits.topk(min(_NUM_RIVALS, len(logits)))
    return dict(zip(tokens.tolist(), values.tolist(), strict=True))


def _equal(one: ProbeAnswer, other: ProbeAnswer) -> bool:
    return (one.prompt_ids, one.answer_ids) == (other.prompt_ids, other.answer_ids)


def _in_words(number: int, expected: ProbeAnswer, found: ProbeAnswer) -> str:
    what, one, other = "prompt", expected.prompt_ids, found.prompt_ids
    if one == other:
        what, one, other = "answer", expected.answer_ids, found.answer_ids
    place = first_difference(one, other) or 0
    before, after = (str(ids[place]) if place < len(ids) else "no token" for ids in (one, other))
    return f"probe {number}, token {place} of the {what}: {before} before, {after} after the export"
