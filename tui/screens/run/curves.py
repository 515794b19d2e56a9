"""Which series share a chart, and in which order charts come."""

from collections.abc import Sequence

from pipeline.contract.metrics import last_part
from pipeline.contract.stages import STAGES
from tui.core.runs import StageProgress
from tui.core.series import Event, Series
from tui.widgets.chart import ChartSeries
from tui.widgets.chartgrid import ChartSpec

_FIRST = (
    "reward", "kl", "loss", "accuracy", "margin", "divergence", "agreement", "completion_tokens", "exact_match",
    "rejected_format", "zero_spread", "entropy", "reward_std", "learning_rate", "token_accuracy", "grad_norm",
)  # fmt: skip
"""A training has only some of them: supervised ones begin with the loss, those from rewards with the reward."""
_MAIN = ("align", "train")
_LAST = ("epoch", "num_tokens")


def charts(series: Sequence[Series], stage: str | None, events: Sequence[Event] = ()) -> list[ChartSpec]:
    """Charts of one stage: metrics that differ only in their split share one; events are marked in all."""
    groups: dict[str, list[Series]] = {}
    for one in series:
        if one.stage == stage and len(one.steps):
            groups.setdefault(last_part(one.name), []).append(one)
    marks = tuple(sorted({float(event.step) for event in events if event.stage == stage}))
    return [_chart(part, groups[part], marks) for part in sorted(groups, key=rank)]


def stages_with_curves(series: Sequence[Series]) -> list[str]:
    """Stages that have any points, in pipeline order; unknown ones as they come."""
    known = [stage.name for stage in STAGES]
    stages = dict.fromkeys(one.stage for one in series if len(one.steps))
    return sorted(stages, key=lambda stage: known.index(stage) if stage in known else len(known))


def default_stage(stages: Sequence[str], progress: Sequence[StageProgress]) -> str | None:
    """The stage whose charts are shown unless another was chosen: the one that runs, or that the run ended in."""
    by_status = {one.status: one.stage for one in progress}
    ended_in = by_status.get("failed") or by_status.get("cancelled")
    if ended_in is not None or by_status.get("running") in stages:
        return ended_in or by_status["running"]
    return next((stage for stage in _MAIN if stage in stages), stages[-1] if stages else None)


def stages_to_show(series: Sequence[Series], progress: Sequence[StageProgress]) -> list[str]:
    """Stages to step through: those with curves, and the one that the run ended in."""
    stages = stages_with_curves(series)
    first = default_stage(stages, progress)
    if first is None or first in stages:
        return stages
    known = [one.stage for one in progress]
    later = next((i for i, one in enumerate(stages) if one in known[known.index(first) :]), len(stages))
    return [*stages[:later], first, *stages[later:]]


def rank(part: str) -> tuple[int, str]:
    """Sort key that puts the metrics first that are looked at first."""
    if part in _FIRST:
        return _FIRST.index(part), part
    return (len(_FIRST) + 1 if part in _LAST else len(_FIRST)), part


def _chart(part: str, group: Sequence[Series], marks: tuple[float, ...]) -> ChartSpec:
    group = sorted(group, key=lambda one: (not one.name.startswith("train"), one.name))
    title = group[0].name if len(group) == 1 else part
    return ChartSpec(title, tuple(ChartSeries(_label(one, title), one.steps, one.values) for one in group), marks)


def _label(one: Series, title: str) -> str:
    """What the title of the chart does not say: of several splits the split, of one curve nothing."""
    return one.name.removesuffix(title).removesuffix("/").removeprefix(f"{one.stage}_")
