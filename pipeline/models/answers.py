"""Answers that were generated, as the functions that judge them take them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.models.messages import Message


@dataclass(frozen=True, slots=True)
class Answers:
    """A batch of answers, column by column."""

    prompts: Sequence[Sequence[Message]]
    """The turns before each answer."""
    texts: Sequence[str]
    """The answers, special tokens left out."""
    references: Sequence[str]
    """The rows' own answers."""
    num_tokens: Sequence[int]
    """Lengths of the answers, stop token included."""


@dataclass(frozen=True, slots=True)
class Reward:
    """One of the rewards whose weighted sum an answer is worth."""

    name: str
    """Comes behind `reward_` in the names of metrics."""
    weight: float
    """In the sum."""
    score: Callable[[Answers], list[float]]
    """Gives one finite number for each answer."""


def weighted_sum(rewards: Sequence[Reward], columns: Sequence[Sequence[float]], num_answers: int) -> list[float]:
    """What each answer is worth, from the scores of each reward."""
    return [
        sum(reward.weight * column[row] for reward, column in zip(rewards, columns, strict=True))
        for row in range(num_answers)
    ]


def answer_text(tokenizer: Any, ids: Sequence[int]) -> str:
    """An answer as people read it."""
    text: str = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text
