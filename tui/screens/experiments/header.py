"""The first and the last line of the home screen."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from tui.core.experiments import Experiment
from tui.core.runs import Run
from tui.widgets.states import LOOKS
from tui.widgets.text import neutral


@dataclass(frozen=True, slots=True)
class Counts:
    """How many runs go on."""

    num_running: int = 0
    num_queued: int = 0


def count_runs(active: Sequence[Experiment], runs: Sequence[Run]) -> Counts:
    """Runs of this runner and of others; a run and its row, which is among the active ones, count once."""
    ids = {run.id for run in runs}
    states = [run.status for run in runs]
    states += [row.status for row in active if row.run_id not in ids]
    return Counts(states.count("running"), states.count("queued"))


def header(project: str, branch: str, counts: Counts, main_metric: str, *, read_only: bool) -> Content:
    """Project, branch, runs, main metric."""
    parts = [Content.styled("finetui", "bold $text-accent"), Content.styled(neutral(project), "bold")]
    if branch:
        parts.append(Content(neutral(branch)))
    for number, state in ((counts.num_running, "running"), (counts.num_queued, "queued")):
        if number:
            look = LOOKS[state]
            parts.append(Content.styled(f"{look.glyph} {number} {look.word}", look.colour))
    if read_only:
        parts.append(Content.styled("read-only", "$text-warning"))
    if main_metric:
        parts.append(Content.styled(f"⚑ {neutral(main_metric)}", "dim"))
    return Content("  ").join(parts)


def branch_of(experiments: Sequence[Experiment]) -> str:
    """The branch at the newest commit."""
    newest = next((row for row in experiments if row.kind == "commit"), None)
    return newest.refs[0] if newest is not None and newest.refs else ""


def status(experiment: Experiment) -> Content:
    """What is worth knowing about the row at the cursor."""
    if experiment.error:
        return Content.styled(f"✗ {neutral(experiment.error)}", "$text-error")
    if experiment.is_pending:
        return Content.styled("DVC is being asked where its params and metrics are; they appear by themselves", "dim")
    if experiment.missing:
        num = len(experiment.missing)
        names = neutral(", ".join(experiment.missing[:3])) + (", …" if num > 3 else "")
        what = "1 declared file is" if num == 1 else f"{num} declared files are"
        return Content.styled(f"{what} not available locally: {names}", "$text-warning")
    look = LOOKS[experiment.status]
    where = "  ".join(part for part in (experiment.short_rev, *map(neutral, experiment.refs)) if part)
    state = (f"{look.glyph} {look.word}  ", look.colour) if experiment.kind == "experiment" else ""
    return Content.assemble(state, where, (f"  {neutral(experiment.subject)}", "dim"))
