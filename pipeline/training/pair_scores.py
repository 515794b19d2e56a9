"""How well a reward model ranks pairs that it has not seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_BINS_PER_UNIT = 10


@dataclass(frozen=True, slots=True)
class PairScore:
    """The scores of one pair."""

    category: str
    """Group of the pair."""
    chosen: float
    """Score of the better answer."""
    rejected: float
    """Score of the worse answer."""
    lead: float
    """By how much the better answer leads, as the log-odds that the model gives to this ranking."""

    @property
    def margin(self) -> float:
        """Difference of the scores."""
        return self.chosen - self.rejected


def summarise(scores: Sequence[PairScore]) -> dict[str, float]:
    """Share of pairs ranked right, mean lead, loss, calibration, and where the scores lie.

    >>> pairs = [PairScore("", 1.0, 0.0, 1.0), PairScore("", 0.0, 0.5, -0.5)]
    >>> {name: round(value, 3) for name, value in summarise(pairs).items()}["margin"]
    0.25
    """
    values = [value for score in scores for value in (score.chosen, score.rejected)]
    mean = math.fsum(values) / len(values)
    return {
        "accuracy": sum(score.margin > 0 for score in scores) / len(scores),
        "margin": math.fsum(score.margin for score in scores) / len(scores),
        "loss": math.fsum(_loss(score.lead) for score in scores) / len(scores),
        "calibration_error": calibration_error(scores),
        "reward": mean,
        "reward_std": math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values)),
        "num_pairs": len(scores),
    }


def by_category(scores: Sequence[PairScore]) -> dict[str, dict[str, float]]:
    """Share of pairs ranked right and mean lead in each category, in alphabetical order."""
    groups: dict[str, list[PairScore]] = {}
    for score in scores:
        groups.setdefault(score.category, []).append(score)
    kept = ("accuracy", "margin", "num_pairs")
    return {
        category: {name: value for name, value in summarise(groups[category]).items() if name in kept}
        for category in sorted(groups)
    }


def calibration_error(scores: Sequence[PairScore]) -> float:
    """How far the model's confidence in its ranking is from the share that it ranks right, over bins of a tenth.

    >>> calibration_error([PairScore("", 9.0, -9.0, 18.0), PairScore("", -9.0, 9.0, -18.0)])
    0.5
    """
    bins: dict[int, list[tuple[float, bool]]] = {}
    for score in scores:
        confidence = 1 / (1 + math.exp(-min(abs(score.lead), 700.0)))
        bins.setdefault(min(int(confidence * _BINS_PER_UNIT), _BINS_PER_UNIT - 1), []).append(
            (confidence, score.margin > 0)
        )
    gaps = [
        abs(math.fsum(confidence for confidence, _ in found) - sum(right for _, right in found))
        for _, found in sorted(bins.items())
    ]
    return round(math.fsum(gaps) / len(scores), 6)


def _loss(lead: float) -> float:
    """Minus the logarithm of the probability that the model gives to the right ranking."""
    return max(-lead, 0.0) + math.log1p(math.exp(-abs(lead)))
