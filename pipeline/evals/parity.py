"""Answers to probe prompts before and after an export, and how they differ."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch

from pipeline.evals.encoding import pad_token_id, stop_token_ids
from pipeline.evals.generation import Decoding, generate
from pipeline.evals.inputs import last_logits, model_inputs
from pipeline.models.chat import Message, encode_prompt
from pipeline.models.loading import LoadedModel

Prompt = list[Message]


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a model makes of one prompt."""

    prompt_ids: list[int]
    """The prompt as its tokenizer and chat template write it."""
    answer_ids: list[int]
    """Its greedy answer."""
    logits: torch.Tensor
    """Logits of the answer's first token, float32, on the CPU."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answers of two models side by side."""

    num_probes: int
    """Prompts that both were asked."""
    num_equal: int
    """Prompts that both wrote and answered with the same token ids."""
    max_logit_difference: float
    """Largest absolute difference of a logit."""
    first_difference: str | None
    """Where the first unequal answers part; None when all are equal."""


@torch.inference_mode()
def answer_probes(
    loaded: LoadedModel, prompts: Sequence[Prompt], max_new_tokens: int, on_answer: Callable[[], None]
) -> list[ProbeAnswer]:
    """Answer the prompts one by one, so that no answer depends on its neighbours in a batch."""
    decoding = Decoding(max_new_tokens, stop_token_ids(loaded), pad_token_id(loaded.tokenizer))
    answers = []
    for prompt in prompts:
        ids = encode_prompt(loaded.tokenizer, prompt)
        logits = last_logits(loaded.model, model_inputs(loaded.model, [ids], decoding.pad_id), 1)[0, 0].cpu()
        answers.append(ProbeAnswer(ids, generate(loaded.model, [ids], decoding)[0], logits))
        on_answer()
    return answers


def compare(expected: Sequence[ProbeAnswer], found: Sequence[ProbeAnswer]) -> Comparison:
    """Compare answers prompt by prompt."""
    pairs = list(zip(expected, found, strict=True))
    differences = [difference(number, *pair) for number, pair in enumerate(pairs)]
    logit_differences = [float((one.logits - other.logits).abs().max()) for one, other in pairs]
    return Comparison(
        num_probes=len(pairs),
        num_equal=differences.count(None),
        max_logit_difference=max(logit_differences, default=0.0),
        first_difference=next((text for text in differences if text is not None), None),
    )


def difference(number: int, expected: ProbeAnswer, found: ProbeAnswer) -> str | None:
    """In words, where two answers to a probe part; None when they are equal."""
    for what, one, other in (
        ("prompt", expected.prompt_ids, found.prompt_ids),
        ("answer", expected.answer_ids, found.answer_ids),
    ):
        for position, (token, other_token) in enumerate(zip_longest(one, other)):
            if token != other_token:
                return f"probe {number}, token {position} of the {what}: {token} before, {other_token} after the export"
    return None
