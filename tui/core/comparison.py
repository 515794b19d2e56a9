"""Experiments side by side: params that differ, metrics with their change against a baseline."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.contract.metrics import Direction, direction, is_negligible, is_resource
from tui.core.columns import metric_order
from tui.core.examples import Evidence, Interval, PairedScore
from tui.core.experiments import Experiment
from tui.core.grouping import Group, Spread, is_beyond_noise, single_difference
from tui.core.keys import MISSING, Key, all_keys, same
from tui.core.values import is_number

Verdict = Literal["better", "worse", "equal", "none", "noise"]
"""`none` where neither way is better, or where there is nothing to compare; `noise` where the difference can well be
chance: of a resource that differs as much by itself, of a score that is not significant over the examples, of a mean
over seeds that differ as much, of another metric that differs as much from seed to seed."""
_JUDGED = ("better", "worse")
_TEST, _GAIN, _CATEGORY = "test/", "gain/", "category."


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
    relative: float | None = None
    """Delta as a share of the baseline's size; None where that is zero."""
    interval: Interval | None = None
    """Where the examples put the value; None without per-example results."""
    paired: PairedScore | None = None
    """Example by example against the baseline."""
    spread: Spread | None = None
    """Over seeds, where experiments are grouped; the value is the mean then."""


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
    groups: tuple[Group, ...] = ()
    """Of seeds; the experiments are the first of each then."""

    @property
    def labels(self) -> tuple[str, ...]:
        """How the columns are called."""
        return tuple(one.label for one in (self.groups or self.experiments))

    @property
    def lacking(self) -> dict[str, tuple[str, ...]]:
        """Label -> metrics that others have."""
        missing = {
            label: tuple(row.key for row in self.metrics if row.cells[place].value is MISSING)
            for place, label in enumerate(self.labels)
        }
        return {label: keys for label, keys in missing.items() if keys}

    @property
    def changed_params(self) -> tuple[ParamRow, ...]:
        """Params that differ."""
        return tuple(row for row in self.params if row.differs)

    @property
    def changed_metrics(self) -> tuple[MetricRow, ...]:
        """Metrics that differ."""
        return tuple(row for row in self.metrics if row.differs)


def compare(
    experiments: Sequence[Experiment],
    baseline: Experiment,
    evidence: Evidence | None = None,
    repeats: Sequence[Group] = (),
) -> Comparison:
    """Compare experiments with each other, and their metrics with a baseline, which may be one of them or another.

    Repeats of them tell by how much a metric without examples differs by the seed alone."""
    everyone = [*experiments, baseline]
    params = tuple(_param_row(key, experiments, baseline) for key in all_keys(everyone, "param"))
    metrics = (_metric_row(key, experiments, baseline, evidence, repeats) for key in all_keys(everyone, "metric"))
    ordered = tuple(sorted(metrics, key=lambda row: metric_order(row.key)))
    return Comparison(tuple(experiments), baseline, params, ordered)


def compare_groups(groups: Sequence[Group], baseline: int = 0) -> Comparison:
    """Compare groups of seeds: means of metrics, and whether they differ by more than the seeds do."""
    everyone = [one for group in groups for one in group.experiments]
    firsts = tuple(group.experiments[0] for group in groups)
    params = tuple(_group_param_row(key, groups) for key in all_keys(everyone, "param"))
    metrics = (_group_metric_row(key, groups, baseline) for key in all_keys(everyone, "metric"))
    ordered = tuple(sorted(metrics, key=lambda row: metric_order(row.key)))
    return Comparison(firsts, firsts[baseline], params, ordered, tuple(groups))


def _group_param_row(key: Key, groups: Sequence[Group]) -> ParamRow:
    """A seed is as many values as there are."""
    own = [[key.value(one) for one in group.experiments] for group in groups]
    values = tuple(some if _differ(some) else some[0] for some in own)
    return ParamRow(key.text, values, _differ([value for some in own for value in some]))


def _group_metric_row(key: Key, groups: Sequence[Group], baseline: int) -> MetricRow:
    way = direction(key.text)
    spreads = [group.spread(key) for group in groups]
    firsts = [key.value(group.experiments[0]) for group in groups]
    base = spreads[baseline]
    cells = []
    for spread, first in zip(spreads, firsts, strict=True):
        value = first if spread is None else spread.mean
        cell = metric_cell(value, firsts[baseline] if base is None else base.mean, way, key.name)
        if spread is not None and base is not None and spread is not base:
            told = is_beyond_noise(spread, base, spreads)
            is_noise = told is False
            cell = replace(cell, verdict="noise") if is_noise and cell.verdict in _JUDGED else cell
        cells.append(replace(cell, spread=spread))
    everything = [key.value(one) for group in groups for one in group.experiments]
    return MetricRow(key.text, way, tuple(cells), _differ(everything))


def _param_row(key: Key, experiments: Sequence[Experiment], baseline: Experiment) -> ParamRow:
    values = tuple(key.value(experiment) for experiment in experiments)
    return ParamRow(key.text, values, _differ([*values, key.value(baseline)]))


def _metric_row(
    key: Key,
    experiments: Sequence[Experiment],
    baseline: Experiment,
    evidence: Evidence | None,
    repeats: Sequence[Group],
) -> MetricRow:
    base, way = key.value(baseline), direction(key.text)
    by_seed = None if is_resource(key.name) else single_difference([group.spread(key) for group in repeats])
    cells = []
    for place, experiment in enumerate(experiments):
        cell = metric_cell(key.value(experiment), base, way, key.name)
        if evidence is not None:
            cell = _with_evidence(cell, key, evidence, place)
        is_noise = _is_within(cell, by_seed) if cell.paired is None else _is_chance(cell, cell.paired)
        cells.append(replace(cell, verdict="noise") if is_noise and cell.verdict in _JUDGED else cell)
    return MetricRow(key.text, way, tuple(cells), _differ([*(cell.value for cell in cells), base]))


def _is_within(cell: MetricCell, size: float | None) -> bool:
    return size is not None and cell.delta is not None and abs(cell.delta) <= size


def _is_chance(cell: MetricCell, paired: PairedScore) -> bool:
    """A metric may weigh examples by their tokens, as a loss does: both must point the same way then."""
    return paired.is_noise or (cell.delta is not None and cell.delta * paired.delta < 0)


def _with_evidence(cell: MetricCell, key: Key, evidence: Evidence, place: int) -> MetricCell:
    """The cell with what the examples say; the interval only if the metric is the plain mean over them."""
    if key.name.startswith(_TEST):
        name = key.name.removeprefix(_TEST)
        score = next((one for one in evidence.scores[place] if one.key == name), None)
        is_mean = score is not None and is_number(cell.value) and math.isclose(score.mean, cell.value, rel_tol=1e-6)
        interval = score.interval if score is not None and is_mean else None
        return replace(cell, interval=interval, paired=_paired(key, evidence, place))
    return replace(cell, paired=_paired(key, evidence, place)) if key.name.startswith((_GAIN, _CATEGORY)) else cell


def _paired(key: Key, evidence: Evidence, place: int) -> PairedScore | None:
    """The test over the examples that a metric of the adapted model is about."""
    comparison = evidence.paired[place]
    if comparison is None:
        return None
    if key.name.startswith(_CATEGORY):
        category, _, name = key.name.removeprefix(_CATEGORY).rpartition(".")
        return comparison.score(name, category)
    return comparison.score(key.name.removeprefix(_TEST).removeprefix(_GAIN))


def _differ(values: Sequence[Any]) -> bool:
    return not all(same(value, values[0]) for value in values[1:])


def metric_cell(value: Any, base: Any, way: Direction, name: str = "") -> MetricCell:
    """A metric against its value in the baseline; its name says whether it is a resource."""
    if value is MISSING or base is MISSING:
        return MetricCell(value, None, "none")
    if not (is_number(value) and is_number(base)):
        return MetricCell(value, None, "equal" if same(value, base) else "none")
    try:
        delta = float(value) - float(base) if isinstance(value, float) or isinstance(base, float) else value - base
        relative = delta / abs(base) if base and math.isfinite(base) else None
    except OverflowError:
        return MetricCell(value, None, "none")
    verdict = _verdict(delta, way)
    is_noise = verdict in _JUDGED and is_negligible(name, delta, float(base))
    return MetricCell(value, delta, "noise" if is_noise else verdict, relative)


def _verdict(delta: float, way: Direction) -> Verdict:
    if delta == 0:
        return "equal"
    if way == "none" or delta != delta:
        return "none"
    return "better" if (delta > 0) == (way == "higher") else "worse"
