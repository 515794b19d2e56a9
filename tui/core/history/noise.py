"""By how much two values of a metric may differ by chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.contract.metrics import last_part
from tui.core.examples import Score
from tui.core.experiments import Experiment
from tui.core.grouping import group_by_seed, pooled_std, single_difference
from tui.core.history.metric_history import Point
from tui.core.history.paired_tests import SAME, PairedTests
from tui.core.keys import Key, same
from tui.core.values import as_float, format_p, is_number

Source = Literal["asked", "seeds", "paired", "interval", "none"]


@dataclass(frozen=True, slots=True)
class Noise:
    """A difference that says nothing, and how it is known."""

    size: float
    """Differences up to this one can be chance; with 0 every difference counts."""
    source: Source
    detail: str
    """In words."""
    paired: PairedTests | None = None
    """Decide where the same examples tell of both values; None where the size alone decides."""

    def moved(self, old: Point, new: Point) -> bool:
        """Whether the value of one commit differs from that of another by more than chance."""
        if self.paired is None or same(old.value, new.value):
            return self.is_move(old.value, new.value)
        told = self.paired.between(old, new)
        return self.is_move(old.value, new.value) if told is None else not told.is_noise

    def between(self, old: Point, new: Point) -> "Noise":
        """The noise that decides about two commits, as one size."""
        told = None if self.paired is None else self.paired.between(old, new)
        if told is None or told.interval is None:
            return replace(self, paired=None)
        half = (told.interval.high - told.interval.low) / 2
        detail = f"a paired test over the {told.num_examples} examples of both values has p = {format_p(told.p_value)}"
        return Noise(half, "paired", detail)

    def is_move(self, old: Any, new: Any) -> bool:
        """Whether a value differs from another by more than chance; what is no number, whether it differs at all."""
        one, other = as_float(old), as_float(new)
        if one is not None and other is not None:
            # a size that was typed as 0.01 covers 0.92 - 0.91 as well
            return abs(other - one) > self.size * (1 + 1e-9)
        return not same(old, new)


def seed_noise(key: Key, experiments: Sequence[Experiment]) -> Noise | None:
    """What seeds explain: two single results differ by less in 19 of 20 cases; None where nothing was repeated."""
    spreads = [group.spread(key) for group in group_by_seed(experiments)]
    size, (std, _) = single_difference(spreads), pooled_std(spreads)
    if size is None:
        return None  # a metric that no seed moves, such as a number of parameters: then every difference counts
    number = sum(one.num for one in spreads if one is not None and one.std is not None)
    detail = f"{number} experiments that differ only in their seed have a standard deviation of {std:.2g}"
    return Noise(size, "seeds", detail)


def interval_noise(key: Key, value: Any, scores: Sequence[Score]) -> Noise | None:
    """What the choice of examples explains, as if both values came from examples of their own: a little too much for
    values from the same ones; None unless the metric is the mean of a score."""
    for score in scores:
        is_metric = score.key == last_part(key.text) and is_number(value)
        if is_metric and score.interval is not None and math.isclose(score.mean, value, rel_tol=SAME, abs_tol=SAME):
            half = (score.interval.high - score.interval.low) / 2
            level = f"{score.interval.level:.0%}"
            detail = f"the {level} interval over {score.num_examples} examples is +-{half:.2g}"
            return Noise(math.sqrt(2) * half, "interval", detail)
    return None
