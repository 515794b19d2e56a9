"""Answers to the same examples by two experiments: what was fixed, what broke, and whether that can be chance."""

from dataclasses import dataclass
from typing import Any, Literal

Change = Literal["fixed", "broke"]
Test = Literal["mcnemar", "bootstrap"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Score:
    """Mean of a score over the examples of one experiment."""

    key: str
    """Column of the per-example results, such as `exact_match`."""
    num_examples: int
    mean: float
    interval: Interval | None
    """None for fewer than two examples."""


@dataclass(frozen=True, slots=True)
class PairedScore:
    """A score of two experiments on the examples that both have."""

    key: str
    num_examples: int
    """Examples that both have a score for."""
    baseline: float
    """Mean over these."""
    candidate: float
    interval: Interval | None
    """Of the difference candidate minus baseline."""
    test: Test
    """`mcnemar` (exact) for scores that are yes or no, `bootstrap` (paired) for the rest."""
    p_value: float | None
    """Two-sided; None where there is nothing to test."""
    num_fixed: int
    """Examples that got better."""
    num_broke: int
    """Examples that got worse."""

    @property
    def delta(self) -> float:
        """Candidate minus baseline."""
        return self.candidate - self.baseline


@dataclass(frozen=True, slots=True)
class ExampleChange:
    """One example whose score differs."""

    id: str
    change: Change
    category: str
    prompt: str
    reference: str
    baseline_prediction: str
    candidate_prediction: str
    baseline_score: Any
    candidate_score: Any


@dataclass(frozen=True, slots=True)
class ExampleComparison:
    """Two experiments, example by example."""

    num_baseline: int
    """Examples of the baseline; 0 when its results are not available locally."""
    num_candidate: int
    scores: tuple[PairedScore, ...] = ()
    """Every score that both have, those that matter most first."""
    changes: tuple[ExampleChange, ...] = ()
    """Examples whose `key` differs, fixed ones first, then by category and id; at most `limit` of each kind."""
    key: str | None = None
    """Score that `changes` are about."""
