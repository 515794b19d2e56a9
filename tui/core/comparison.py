"""Experiments side by side: params that differ, metrics with their change against a baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.contract.metrics import Direction, direction
from tui.core.columns import metric_order
from tui.core.experiments import Experiment
from tui.core.keys import MISSING, Key, all_keys, same

Verdict = Literal["better", "worse", "equal", "none"]
"""`none` where neither way is better, or where there is nothing to compare."""


@dataclass(frozen=True, slots=True)
class ParamRow:
    """One param of all experiments."""

    key: str
    values: tuple[Any, ...]
    """One per experiment; MISSING where it has none."""
    differs: bool
    """Whether not all experiments agree."""


@dataclass(frozen=True, slots=True)
class MetricCell:
    """One metric of one experiment."""

    value: Any
    """MISSING where the experiment has none."""
    delta: float | None
    """Value minus the baseline's; None unless both are numbers."""
    verdict: Verdict
    """Against the baseline."""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of all experiments."""

    key: str
    direction: Direction
    cells: tuple[MetricCell, ...]
    """One per experiment."""
    differs: bool
    """Whether not all experiments agree."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Experiments against a baseline."""

    experiments: tuple[Experiment, ...]
    baseline: Experiment
    params: tuple[ParamRow, ...]
    metrics: tuple[MetricRow, ...]
    """Those that matter most first."""

    @property
    def changed_params(self) -> tuple[ParamRow, ...]:
        """Params that differ."""
        return tuple(row for row in self.params if row.differs)

    @property
    def changed_metrics(self) -> tuple[MetricRow, ...]:
        """Metrics that differ."""
        return tuple(row for row in self.metrics if row.differs)


def compare(experiments: Sequence[Experiment], baseline: Experiment) -> Comparison:
    """Compare experiments with each other, and their metrics with a baseline, which may be one of them or another."""
    everyone = [*experiments, baseline]
    params = tuple(_param_row(key, experiments, baseline) for key in all_keys(everyone, "param"))
    metrics = (_metric_row(key, experiments, baseline) for key in all_keys(everyone, "metric"))
    ordered = tuple(sorted(metrics, key=lambda row: metric_order(row.key)))
    return Comparison(tuple(experiments), baseline, params, ordered)


def _param_row(key: Key, experiments: Sequence[Experiment], baseline: Experiment) -> ParamRow:
    values = tuple(key.value(experiment) for experiment in experiments)
    return ParamRow(key.text, values, _differ([*values, key.value(baseline)]))


def _metric_row(key: Key, experiments: Sequence[Experiment], baseline: Experiment) -> MetricRow:
    base, way = key.value(baseline), direction(key.text)
    cells = tuple(metric_cell(key.value(experiment), base, way) for experiment in experiments)
    return MetricRow(key.text, way, cells, _differ([*(cell.value for cell in cells), base]))


def _differ(values: list[Any]) -> bool:
    return not all(same(value, values[0]) for value in values[1:])


def metric_cell(value: Any, base: Any, way: Direction) -> MetricCell:
    """A metric against its value in the baseline."""
    if value is MISSING or base is MISSING:
        return MetricCell(value, None, "none")
    if not (is_number(value) and is_number(base)):
        return MetricCell(value, None, "equal" if same(value, base) else "none")
    try:
        delta = float(value) - float(base) if isinstance(value, float) or isinstance(base, float) else value - base
    except OverflowError:
        return MetricCell(value, None, "none")
    return MetricCell(value, delta, _verdict(delta, way))


def _verdict(delta: float, way: Direction) -> Verdict:
    if delta == 0:
        return "equal"
    if way == "none" or delta != delta:
        return "none"
    return "better" if (delta > 0) == (way == "higher") else "worse"


def is_number(value: Any) -> bool:
    """Whether arithmetic with it makes sense: true and false are no numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)
