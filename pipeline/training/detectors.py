"""What can be seen going wrong in a training, as small state machines over its figures.

Each says it once, when it begins; a figure in words, or None while all is well. Their fields are all that they know,
so a checkpoint keeps them as they are.
"""

import math
from dataclasses import dataclass, field
from statistics import median

_WINDOW = 20
_MIN_POINTS = 10
# A loss that stands still has no spread: below this share of the median nothing is a jump.
_MIN_SPREAD = 1e-3
# Below it a validation loss that has reached its floor wavers.
_MIN_RISE = 0.01
_MIN_COLLAPSED = 3


@dataclass
class EarlyStopping:
    """A metric that has not become better for some evaluations."""

    metric: str
    higher: bool
    patience: int
    min_change: float
    best: float | None = None
    num_worse: int = 0

    def see(self, value: float) -> str | None:
        """Take the value at an evaluation."""
        if self._is_better(value):
            self.best, self.num_worse = value, 0
            return None
        self.num_worse += 1
        if self.num_worse != self.patience:
            return None
        best = "no finite value" if self.best is None else f"{self.best:.6g}"
        return f"{self.metric} is {value:.6g}; its best, {best}, is {_evaluations(self.num_worse)} old"

    def _is_better(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if self.best is None:
            return True
        change = value - self.best if self.higher else self.best - value
        return change > self.min_change


@dataclass
class Overfitting:
    """A validation loss above its minimum while the training loss is below what it was there."""

    patience: int
    best: float | None = None
    train_at_best: float = math.inf
    num_worse: int = 0

    def see(self, train: float, validation: float) -> str | None:
        """Take the losses at an evaluation: the training loss since the one before, the validation loss."""
        if not (math.isfinite(train) and math.isfinite(validation)):
            return None
        if self.best is None or validation <= self.best:
            self.best, self.train_at_best, self.num_worse = validation, train, 0
            return None
        parts = validation > self.best + _MIN_RISE * abs(self.best) and train < self.train_at_best
        self.num_worse = self.num_worse + 1 if parts else 0
        if self.num_worse != self.patience:
            return None
        return (
            f"for {_evaluations(self.num_worse)} the validation loss ({validation:.4f}) has been above its minimum "
            f"({self.best:.4f}) while the training loss fell from {self.train_at_best:.4f} to {train:.4f}"
        )


@dataclass
class Spike:
    """A training loss far above its recent values."""

    factor: float
    recent: list[float] = field(default_factory=list)
    is_high: bool = False

    def see(self, loss: float) -> str | None:
        """Take the next training loss."""
        if not math.isfinite(loss):
            return None
        message = self._compare(loss) if len(self.recent) >= _MIN_POINTS else None
        self.recent = [*self.recent, loss][-_WINDOW:]
        began, self.is_high = message is not None and not self.is_high, message is not None
        return message if began else None

    def _compare(self, loss: float) -> str | None:
        middle = median(self.recent)
        spread = max(median(abs(value - middle) for value in self.recent), _MIN_SPREAD * abs(middle))
        if loss - middle <= self.factor * spread:
            return None
        return (
            f"the training loss is {loss:.4f}; the last {len(self.recent)} points lie around {middle:.4f} "
            f"with a spread of {spread:.2g}"
        )


@dataclass
class RewardCollapse:
    """Groups of completions that all got the same reward, point after point."""

    num_collapsed: int = 0

    def see(self, zero_spread: float) -> str | None:
        """Take the next share of prompts without any spread."""
        self.num_collapsed = self.num_collapsed + 1 if zero_spread >= 1 else 0
        if self.num_collapsed != _MIN_COLLAPSED:
            return None
        return f"all completions of every prompt got the same reward at {_MIN_COLLAPSED} points in a row"


@dataclass
class Limit:
    """A figure that must not go above a limit."""

    metric: str
    limit: float
    is_above: bool = False

    def see(self, value: float) -> str | None:
        """Take the next value."""
        above = value > self.limit
        began, self.is_above = above and not self.is_above, above
        return f"{self.metric} is {value:.4f}, above {self.limit:g}" if began else None


def _evaluations(number: int) -> str:
    return f"{number} evaluation" if number == 1 else f"{number} evaluations"
