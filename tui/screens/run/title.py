"""The first line of the Run screen."""

from datetime import datetime

from textual.content import Content

from tui.core.experiments import Experiment
from tui.core.runs import Run
from tui.screens.title import Part
from tui.widgets.states import LOOKS
from tui.widgets.text import neutral
from tui.widgets.times import age, duration


def title_parts(experiment: Experiment, run: Run | None, note: str, now: datetime) -> list[Part]:
    """Name, state, revision, times, and a note."""
    look = LOOKS[experiment.status]
    return [
        Part(Content.styled(neutral(experiment.label), "bold")),
        Part(Content.styled(f"{look.glyph} {look.word}", look.colour)),
        Part(experiment.short_rev if experiment.short_rev != experiment.label else "", rank=2),
        Part(_time(experiment, run, now), rank=1),
        Part(Content.styled(neutral(note), "dim")),
    ]


def _time(experiment: Experiment, run: Run | None, now: datetime) -> str:
    if run is not None and run.is_active:
        return f"for {duration((now - run.started_at).total_seconds())}"
    if run is not None and run.ended_at is not None:
        return f"{age(run.ended_at, now)}, took {duration((run.ended_at - run.started_at).total_seconds())}"
    return age(experiment.timestamp, now) if experiment.timestamp is not None else ""
