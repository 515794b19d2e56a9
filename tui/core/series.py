"""Series: one metric over the steps of one stage of one experiment."""

from array import array
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one metric, in the order of their steps; both arrays are of doubles and equally long."""

    stage: str
    """Stage, or the file's name in a project of another make."""
    name: str
    """Metric name, such as `train/loss`."""
    steps: "array[float]"
    values: "array[float]"
    """NaN where the value was not finite."""
