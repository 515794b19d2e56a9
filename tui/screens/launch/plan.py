"""The plan in words: which stages will run, why, how long it takes, what to know before."""

from collections.abc import Sequence
from itertools import groupby

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.core.runs import LaunchPlan, StagePlan
from tui.widgets.text import fit, neutral
from tui.widgets.times import duration

_REASONS = {
    "params": "params changed",
    "code": "code changed",
    "data": "data changed",
    "upstream": "follows a stage that runs",
    "new": "never ran",
    "forced": "forced",
    "unknown": "reason unknown",
}


class PlanPane(VerticalScroll):
    """The newest plan, or why there is none."""

    DEFAULT_CSS = "PlanPane { height: 8; padding: 0 1; scrollbar-size: 1 1; }"

    def __init__(self) -> None:
        super().__init__(id="plan", classes="box")
        self.say("")

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static()

    def say(self, state: str) -> None:
        """Tell in the title what goes on."""
        self.border_title = f"Plan  {state}" if state else "Plan"

    def show(self, plan: LaunchPlan) -> None:
        """Show a plan."""
        self.say("")
        self.query_one(Static).update(plan_text(plan))

    def show_failure(self, what: str, text: str) -> None:
        """Show why there is none."""
        self.say(f"({what} failed)")
        self.query_one(Static).update(Content.styled(neutral(text), "$text-error"))


def plan_text(plan: LaunchPlan) -> Content:
    """Everything about a plan."""
    width = max((len(stage.stage) for stage in plan.stages), default=0)
    lines = []
    for will_run, neighbours in groupby(plan.stages, key=lambda stage: stage.will_run):
        stages = list(neighbours)
        lines += [_stage(stage, min(width, 24)) for stage in stages] if will_run else [_up_to_date(stages)]
    lines.append(Content.styled(summary(plan), "bold"))
    lines += [Content.styled(f"✗ {neutral(problem)}", "$text-error") for problem in plan.problems]
    lines += [Content.styled(f"! {neutral(warning)}", "$text-warning") for warning in plan.warnings]
    return Content("\n").join(lines)


def runs_nothing(plan: LaunchPlan) -> bool:
    """Whether every stage is up to date."""
    return not any(stage.will_run for stage in plan.stages)


def summary(plan: LaunchPlan) -> str:
    """How many stages run, and for how long."""
    running = [stage for stage in plan.stages if stage.will_run]
    if runs_nothing(plan):
        return "Nothing would run: every stage is up to date (f forces)."
    known = [stage.expected_s for stage in running if stage.expected_s is not None]
    count = f"{len(running)} of {len(plan.stages)} stages run"
    if not known:
        return f"{count}; how long is not known yet"
    about = f"about {duration(sum(known))}"
    missing = len(running) - len(known)
    return f"{count}, {about}" + (f" and {missing} that never ran" if missing else "")


def _up_to_date(stages: Sequence[StagePlan]) -> Content:
    """Neighbours that will not run share a line."""
    names = "  ".join(neutral(stage.stage) for stage in stages)
    return Content.styled(f"= {names}  up to date", "dim")


def _stage(stage: StagePlan, width: int) -> Content:
    name = fit(neutral(stage.stage), width)
    time = f"  ~{duration(stage.expected_s)}" if stage.expected_s is not None else ""
    why = neutral(stage.detail) or _REASONS.get(stage.reason or "unknown", "")
    return Content.assemble(("▶ ", "$text-accent"), (name, "bold"), f"  {why}", (time, "dim"))
