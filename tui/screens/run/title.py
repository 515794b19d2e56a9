"""The first line of the Run screen."""

from datetime import datetime

from textual.content import Content

from tui.core.experiments import Experiment
from tui.core.runs import Run
from tui.widgets.states import LOOKS
from tui.widgets.text import neutral
from tui.widgets.times import age, duration


def title(experiment: Experiment, run: Run | None, now: datetime) -> Content:
    """Name, state, times."""
    look = LOOKS[experiment.status]
    parts = [
        Content.styled(neutral(experiment.label), "bold"),
        Content.assemble((f"{look.glyph} {look.word}", look.colour)),
        Content(experiment.short_rev),
        Content(_time(experiment, run, now)),
    ]
    return Content("  ").join([part for part in parts if part.plain])


def _time(experiment: Experiment, run: Run | None, now: datetime) -> str:
    if run is not None and run.is_active:
        return f"for {duration((now - run.started_at).total_seconds())}"
    if run is not None and run.ended_at is not None:
        return f"{age(run.ended_at, now)}, took {duration((run.ended_at - run.started_at).total_seconds())}"
    return age(experiment.timestamp, now) if experiment.timestamp is not None else ""
