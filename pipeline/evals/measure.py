"""Measures one model on the examples: likelihood of the references, answers of its own, and their scores."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.contract.params import Evaluate
from pipeline.evals.encoding import encode_example
from pipeline.evals.examples import Example
from pipeline.evals.likelihood import Likelihood, likelihoods
from pipeline.evals.text_scores import chrf, exact_match, final_answer, rouge_l
from pipeline.models.answers import Answers, answer_text
from pipeline.models.chat import stop_token_id
from pipeline.models.generation import Decoding, batches_by_length, decoding_of, generate
from pipeline.models.loading import LoadedModel


@dataclass(frozen=True, slots=True)
class ExampleScore:
    """Everything that is known of a model on one example."""

    prediction: str
    """The answer as it was generated, special tokens left out."""
    prompt_ids: list[int]
    """What was asked, as token ids."""
    answer_ids: list[int]
    """The answer as token ids, its stop token included."""
    likelihood: Likelihood
    """Of the reference."""
    exact_match: bool
    """Whether the answer equals the reference after normalisation."""
    chrf: float
    """0 to 100."""
    rouge_l: float
    """0 to 1."""
    completion_tokens: int
    """Length of the answer, its stop token included."""
    truncated: bool
    """Whether it was cut off before a stop token."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A model on all examples."""

    scores: list[ExampleScore]
    """One per example, in their order."""
    tokens_per_second: float
    """Generated tokens per second of generation."""


def measure(
    loaded: LoadedModel, examples: Sequence[Example], params: Evaluate, on_scored: Callable[[int], None]
) -> Measurement:
    """Score a model on the examples; `on_scored` hears how many examples each finished batch had."""
    decoding = decoding_of(loaded, params.max_new_tokens)
    stop_id = stop_token_id(loaded.tokenizer)
    encoded = [encode_example(loaded.tokenizer, example, stop_id) for example in examples]
    scores: dict[int, ExampleScore] = {}
    seconds = 0.0
    for batch in batches_by_length([len(example.prompt_ids) for example in encoded], params.batch_size):
        references = likelihoods(loaded.model, [encoded[position] for position in batch], decoding.pad_id)
        start = time.perf_counter()
        answers = generate(loaded.model, [encoded[position].prompt_ids for position in batch], decoding)
        seconds += time.perf_counter() - start
        for position, reference, answer in zip(batch, references, answers, strict=True):
            prompt_ids = encoded[position].prompt_ids
            scores[position] = score(loaded.tokenizer, examples[position], prompt_ids, reference, answer, decoding)
        on_scored(len(batch))
    num_tokens = sum(score.completion_tokens for score in scores.values())
    return Measurement([scores[position] for position in range(len(examples))], num_tokens / max(seconds, 1e-9))


def answers_of(examples: Sequence[Example], scores: Sequence[ExampleScore]) -> Answers:
    """The answers that were scored, as rewards take them."""
    return Answers(
        prompts=[example.prompt for example in examples],
        texts=[score.prediction for score in scores],
        references=[example.completion for example in examples],
        num_tokens=[score.completion_tokens for score in scores],
    )


def score(
    tokenizer: Any,
    example: Example,
    prompt_ids: list[int],
    reference: Likelihood,
    answer_ids: list[int],
    decoding: Decoding,
) -> ExampleScore:
    """Score one answer."""
    prediction = answer_text(tokenizer, answer_ids)
    answer = final_answer(prediction)
    return ExampleScore(
        prediction,
        prompt_ids,
        answer_ids,
        reference,
        exact_match(answer, example.completion),
        chrf(answer, example.completion),
        rouge_l(answer, example.completion),
        len(answer_ids),
        truncated=answer_ids[-1:] == [] or answer_ids[-1] not in decoding.stop_ids,
    )
