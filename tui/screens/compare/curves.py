"""Curves of several experiments in one chart."""

from collections.abc import Sequence

from pipeline.contract.metrics import last_part
from tui.core.experiments import Experiment
from tui.core.series import Series
from tui.screens.run.curves import rank, stages_with_curves
from tui.widgets.chart import ChartSeries

Curve = tuple[str, str]
"""Stage and name of a series."""


def curves_of(series: Sequence[Sequence[Series]]) -> list[Curve]:
    """Every curve that any experiment has; the loss of the training first."""
    everything = [one for some in series for one in some if len(one.steps)]
    stages = stages_with_curves(everything)
    found = {(one.stage, one.name) for one in everything}
    return sorted(
        found, key=lambda curve: (curve[0] != "train", stages.index(curve[0]), rank(last_part(curve[1])), curve)
    )


def overlay(experiments: Sequence[Experiment], series: Sequence[Sequence[Series]], curve: Curve) -> list[ChartSeries]:
    """One curve of all experiments that have it; an experiment keeps its colour and glyph."""
    return [
        ChartSeries(experiment.label, one.steps, one.values, slot=slot)
        for slot, (experiment, some) in enumerate(zip(experiments, series, strict=True))
        for one in some
        if (one.stage, one.name) == curve
    ]
