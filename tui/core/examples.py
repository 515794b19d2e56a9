"""Answers to the same examples by two experiments: what was fixed, what broke, and whether that can be chance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pipeline.contract.paths import PREDICTIONS
from tui.core.experiments import Experiment

ALPHA = 0.05
"""A difference whose p-value is below is not taken for chance."""
Change = Literal["fixed", "broke"]
Test = Literal["mcnemar", "t", "bootstrap"]


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
    """`mcnemar` (exact) for scores that are yes or no; else `t` for few examples and `bootstrap` for more, paired."""
    p_value: float | None
    """Two-sided; None where there is nothing to test."""
    num_fixed: int
    """Examples that got better."""
    num_broke: int
    """Examples that got worse."""
    adjusted_p_value: float | None = None
    """After Holm's correction for several candidates against one baseline; None until that was done."""
    smallest_p_value: float | None = None
    """Below which no p-value of so many resamples can be; None where no resamples are drawn."""

    @property
    def is_noise(self) -> bool:
        """Whether the difference can well be chance; not where nothing could be tested."""
        p_value = self.p_value if self.adjusted_p_value is None else self.adjusted_p_value
        return p_value is not None and p_value >= ALPHA

    @property
    def is_at_floor(self) -> bool:
        """Whether it counts as chance only because so many resamples tell no smaller p-value."""
        p_value, smallest = self.p_value, self.smallest_p_value
        return p_value is not None and smallest is not None and p_value <= smallest and self.is_noise

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
    num_shared: int = 0
    """Examples that both have, with the same prompt; scores and changes are about these alone."""
    num_duplicates: int = 0
    """Rows of either that were left out because one with their id came before."""
    problem: str = ""
    """Why they cannot be joined; empty if they can."""
    scores: tuple[PairedScore, ...] = ()
    """Every score that both have, those that matter most first."""
    categories: Mapping[str, tuple[PairedScore, ...]] = field(default_factory=dict)
    """The same over the examples of each category."""
    changes: tuple[ExampleChange, ...] = ()
    """Examples whose `key` differs, fixed ones first, the largest change first, then by category and id; at most
    `limit` of each kind."""
    key: str | None = None
    """Score that `changes` are about."""

    def score(self, key: str, category: str | None = None) -> PairedScore | None:
        """The score of that name, over all examples or over those of a category."""
        scores = self.scores if category is None else self.categories.get(category, ())
        return next((one for one in scores if one.key == key), None)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What per-example results say about experiments beside each other."""

    scores: tuple[tuple[Score, ...], ...]
    """Of each experiment."""
    paired: tuple[ExampleComparison | None, ...]
    """Of each experiment against the baseline; None for the baseline itself."""
    notes: tuple[str, ...] = ()
    """What is not there or was left out."""

    @property
    def num_candidates(self) -> int:
        """Experiments that are tested against the baseline."""
        return sum(bool(one and one.scores) for one in self.paired)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of several tests so that their chance of any false alarm is that of one (Holm 1979).

    A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6(2), 65-70.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def adjust(comparisons: Sequence[ExampleComparison | None]) -> list[ExampleComparison | None]:
    """Comparisons of several candidates with one baseline, with p-values adjusted for them: each score by itself."""
    tests: dict[tuple[str | None, str], list[tuple[int, float]]] = {}
    for place, one in enumerate(comparisons):
        for category, score in _tests(one):
            if score.p_value is not None:
                tests.setdefault((category, score.key), []).append((place, score.p_value))
    adjusted = {
        (place, *test): value
        for test, found in tests.items()
        for (place, _), value in zip(found, holm([value for _, value in found]), strict=True)
    }

    def with_adjusted(place: int, category: str | None, scores: Sequence[PairedScore]) -> tuple[PairedScore, ...]:
        return tuple(replace(one, adjusted_p_value=adjusted.get((place, category, one.key))) for one in scores)

    return [
        one
        and replace(
            one,
            scores=with_adjusted(place, None, one.scores),
            categories={name: with_adjusted(place, name, scores) for name, scores in one.categories.items()},
        )
        for place, one in enumerate(comparisons)
    ]


def _tests(comparison: ExampleComparison | None) -> Iterator[tuple[str | None, PairedScore]]:
    if comparison is not None:
        yield from ((None, score) for score in comparison.scores)
        yield from ((name, score) for name, scores in comparison.categories.items() for score in scores)


def why_none(experiment: Experiment) -> str:
    """Why an experiment has no per-example results to read."""
    path = PREDICTIONS.as_posix()
    made = any(md5 and (path == out or path.startswith(f"{out}/")) for out, md5 in experiment.outs.items())
    if made or path in experiment.missing:
        return f"its per-example results are not in the local cache; dvc pull {path} brings them"
    return "it has no per-example results"
