"""What a measurement comes to: scalars over all examples, over each category, and the gain over the base model."""

import math
from collections.abc import Iterable, Sequence

from pipeline.evals.examples import Example
from pipeline.evals.measure import ExampleScore
from pipeline.evals.text_scores import corpus_chrf, final_answer, normalise

Scalars = dict[str, float]

# Only where a difference says something by itself.
GAINS = ("loss", "token_accuracy", "exact_match", "chrf", "rouge_l")


def summarise(examples: Sequence[Example], scores: Sequence[ExampleScore]) -> Scalars:
    """Scalars over all examples; loss and token accuracy weigh every token alike."""
    num_tokens = sum(score.likelihood.num_tokens for score in scores)
    loss = ratio(math.fsum(score.likelihood.nats for score in scores), num_tokens)
    answers = [final_answer(score.prediction) for score in scores]
    return {
        "loss": loss,
        "perplexity": perplexity(loss),
        "token_accuracy": ratio(sum(score.likelihood.num_first for score in scores), num_tokens),
        "exact_match": mean(score.exact_match for score in scores),
        "chrf": corpus_chrf(answers, [example.completion for example in examples]),
        "rouge_l": mean(score.rouge_l for score in scores),
        "distinct": ratio(len({normalise(answer) for answer in answers}), len(answers)),
        "completion_tokens": mean(score.completion_tokens for score in scores),
        "truncated": mean(score.truncated for score in scores),
    }


def by_category(
    examples: Sequence[Example], scores: Sequence[ExampleScore], base_scores: Sequence[ExampleScore]
) -> dict[str, dict[str, float]]:
    """The scores of each category, categories in alphabetical order."""
    return {
        category: _category(
            [example for example in examples if example.category == category],
            _of_category(category, examples, scores),
            _of_category(category, examples, base_scores),
        )
        for category in sorted({example.category for example in examples})
    }


def gains(adapted: Scalars, base: Scalars) -> Scalars:
    """Adapted minus base: a gain in loss is negative when the adaptation helps."""
    return {name: adapted[name] - base[name] for name in GAINS}


def prefixed(prefix: str, scalars: Scalars) -> Scalars:
    """Metric names of a split.

    >>> prefixed("test", {"loss": 0.5})
    {'test/loss': 0.5}
    """
    return {f"{prefix}/{name}": value for name, value in scalars.items()}


def perplexity(loss: float) -> float:
    """exp(loss), infinite where a float cannot hold it.

    >>> perplexity(0.0), perplexity(1000.0)
    (1.0, inf)
    """
    return math.exp(loss) if not loss > 700 else math.inf


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean, correctly rounded; not a number when there are no values."""
    known = list(values)
    return ratio(math.fsum(known), len(known))


def ratio(value: float, count: int) -> float:
    """Value per count; not a number when nothing was counted."""
    return value / count if count else math.nan


def _of_category(category: str, examples: Sequence[Example], scores: Sequence[ExampleScore]) -> list[ExampleScore]:
    return [score for example, score in zip(examples, scores, strict=True) if example.category == category]


def _category(
    examples: Sequence[Example], scores: Sequence[ExampleScore], base_scores: Sequence[ExampleScore]
) -> dict[str, float]:
    answers = [final_answer(score.prediction) for score in scores]
    return {
        "exact_match": mean(score.exact_match for score in scores),
        "chrf": corpus_chrf(answers, [example.completion for example in examples]),
        "num_examples": len(examples),
        "base_exact_match": mean(score.exact_match for score in base_scores),
    }
