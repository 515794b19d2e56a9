"""Experiments that differ only in their seed: mean and spread of every metric, which is also the noise of a metric."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from pipeline.contract.metrics import is_resource
from tui.core.experiments import Experiment
from tui.core.keys import MISSING, Key, flat, same
from tui.core.values import as_float, format_value

_SEEDS = frozenset({"seed", "random_state", "random_seed"})
# Two-sided 5 % points of Student's t with 1, 2, ... degrees of freedom.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL = 1.96


@dataclass(frozen=True, slots=True)
class Spread:
    """A metric over experiments that differ only in their seed."""

    num: int
    """Experiments that have it."""
    mean: float
    std: float | None
    """Sample standard deviation; None for fewer than two."""
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Group:
    """Experiments that differ only in their seed, or one that is like no other."""

    experiments: tuple[Experiment, ...]
    """In the order in which they came; results that are the same as another's are left out."""
    num_same: int
    """How many were left out as the same result again."""
    seeds: tuple[Mapping[str, Any], ...]
    """Seed params of each."""

    @property
    def label(self) -> str:
        """Its first experiment, and how many there are."""
        first = self.experiments[0].label
        return first if len(self.experiments) == 1 else f"{first} and {len(self.experiments) - 1} more"

    def spread(self, key: Key) -> Spread | None:
        """Of one metric; None if none of them has it as a number."""
        return spread_of([key.value(one) for one in self.experiments])

    @property
    def mean(self) -> Experiment:
        """Its first experiment, with the means of all metrics that are numbers."""
        first = self.experiments[0]
        metrics: dict[str, dict[str, Any]] = {}
        for path, document in first.metrics.items():
            for name, value in flat(document).items():
                spread = self.spread(Key("metric", name, path))
                metrics.setdefault(path, {})[name] = value if spread is None else spread.mean
        return replace(first, metrics=metrics)


def is_seed(key: str) -> bool:
    """Whether a param only makes chance repeatable.

    >>> is_seed("train.seed"), is_seed("model.random_state"), is_seed("train.seed_fraction")
    (True, True, False)
    """
    return key.rpartition(".")[2].lower() in _SEEDS


def spread_of(values: Sequence[Any]) -> Spread | None:
    """Of the finite numbers among some values."""
    numbers = [number for value in values if (number := as_float(value)) is not None]
    if not numbers:
        return None
    std = stdev(numbers) if len(numbers) > 1 else None
    return Spread(len(numbers), fmean(numbers), std, min(numbers), max(numbers))


def format_spread(spread: Spread, key: str = "") -> str:
    """Mean, standard deviation and number."""
    mean = format_value(spread.mean, key)
    return mean if spread.std is None else f"{mean} ± {format_value(spread.std, key)} ({spread.num})"


def group_by_seed(experiments: Sequence[Experiment]) -> list[Group]:
    """Groups in the order of their first experiments.

    Code counts as the same where all dependencies that no stage writes have the same hash; where not all hashes are
    known, the experiments must have been started from the same commit as well. The workspace is a repetition of
    nothing, nor is what has no metrics or did not run to its end.
    """
    groups: dict[Any, list[Experiment]] = {}
    for one in experiments:
        groups.setdefault((_origin(one), _frozen(_leaves(one.params, _is_no_seed))), []).append(one)
    return [_group(members) for members in groups.values()]


def is_made(path: str, experiment: Experiment) -> bool:
    """Whether a stage writes it: then its content follows from the rest."""
    made = (*(out for out in experiment.outs if out not in experiment.data_sources), *experiment.metrics)
    return any(path == out or path.startswith(f"{out}/") or out.startswith(f"{path}/") for out in made)


def is_beyond_noise(one: Spread, other: Spread, spreads: Sequence[Spread | None]) -> bool | None:
    """Whether two means differ by more than seeds explain, at the level of 5 %; None where nothing tells.

    Welch's t test where both were repeated; else with the spread pooled over all groups. Welch (1947), Biometrika 34.
    """
    delta = abs(one.mean - other.mean)
    if one.std is not None and other.std is not None:
        parts = [one.std**2 / one.num, other.std**2 / other.num]
        error = math.sqrt(sum(parts))
        weights = sum(part**2 / (group.num - 1) for part, group in zip(parts, (one, other), strict=True))
        freedom = sum(parts) ** 2 / weights if weights else math.inf
    else:
        pooled, freedom = pooled_std(spreads)
        if pooled is None:
            return None
        error = pooled * math.sqrt(1 / one.num + 1 / other.num)
    return delta > error * t_point(freedom)


def pooled_std(spreads: Sequence[Spread | None]) -> tuple[float | None, int]:
    """Standard deviation between experiments that differ only in their seed, over all groups that were repeated, and
    its degrees of freedom; None and 0 where none was."""
    known = [(one.num - 1, one.std) for one in spreads if one is not None and one.std is not None]
    freedom = sum(num for num, _ in known)
    return (math.sqrt(sum(num * std**2 for num, std in known) / freedom) if freedom else None), freedom


def single_difference(spreads: Sequence[Spread | None]) -> float | None:
    """By how much two single results differ at most in 19 of 20 cases, by seeds alone; None where nothing was repeated,
    or where no seed moves the metric."""
    std, freedom = pooled_std(spreads)
    return t_point(freedom) * math.sqrt(2) * std if std else None


def repeats_of(experiment: Experiment, rows: Sequence[Experiment]) -> Group:
    """It with those of the rows that differ from it only in their seed."""
    leaves = _leaves(experiment.params, _is_no_seed)
    alike = (one for one in rows if one.rev != experiment.rev and _has_params(one, leaves))
    return group_by_seed([experiment, *alike])[0]


def all_repeats(experiments: Sequence[Experiment], rows: Sequence[Experiment]) -> list[Group]:
    """Groups of those experiments that were repeated, each group once."""
    found: list[Group] = []
    seen: set[str] = set()
    for one in experiments:
        if one.rev not in seen:
            group = repeats_of(one, rows)
            seen |= {other.rev for other in group.experiments}
            found += [group] if len(group.experiments) > 1 else []
    return found


def _has_params(experiment: Experiment, leaves: Mapping[str, Any]) -> bool:
    """Whether all of them are the same, looking no further than the first that is not."""
    for path, document in experiment.params.items():
        for name, value in flat(document).items():
            if not is_seed(name) and not same(value, leaves.get(f"{path}:{name}", MISSING)):
                return False
    return True


def t_point(freedom: float) -> float:
    """Two-sided 5 % point of Student's t, never smaller than it is."""
    return _T[max(1, math.floor(freedom)) - 1] if freedom <= len(_T) else _NORMAL * (1 + 1.3 / freedom)


def _leaves(files: Mapping[str, Any], wanted: Callable[[str], bool]) -> dict[str, Any]:
    return {
        f"{path}:{name}": value
        for path, document in files.items()
        for name, value in flat(document).items()
        if wanted(name)
    }


def _is_no_seed(name: str) -> bool:
    return not is_seed(name)


def _is_result(name: str) -> bool:
    return not is_resource(name)


def _frozen(value: Any) -> Any:
    """A value that is equal, and has an equal hash, exactly where `same` says so."""
    if isinstance(value, Mapping):
        return frozenset((name, _frozen(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, bool) or value != value:
        return "bool" if isinstance(value, bool) else "nan", str(value)
    return value if isinstance(value, Hashable) else repr(value)


def _origin(experiment: Experiment) -> object:
    """What is equal for experiments with the same code and data."""
    if experiment.kind == "workspace" or experiment.status != "done" or not experiment.metrics:
        return experiment.rev, experiment.name, experiment.run_id
    own = {path: known for path, known in experiment.deps.items() if not is_made(path, experiment)}
    if own and all(own.values()):
        return frozenset(own.items())
    return frozenset(own.items()), experiment.baseline or experiment.rev


def _group(members: Sequence[Experiment]) -> Group:
    """An experiment that was applied and committed is there twice, and says no more for it."""
    kept: dict[Any, Experiment] = {}
    for one in members:
        kept.setdefault((_frozen(_leaves(one.params, is_seed)), _frozen(_leaves(one.metrics, _is_result))), one)
    seeds = tuple(
        {key.partition(":")[2]: v for key, v in _leaves(one.params, is_seed).items()} for one in kept.values()
    )
    return Group(tuple(kept.values()), len(members) - len(kept), seeds)
