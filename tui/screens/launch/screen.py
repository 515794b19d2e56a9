"""A form over the params of the workspace; shows what would run before it runs."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from tui.commands import Scope, bindings
from tui.core.errors import UserError
from tui.core.form import form_fields
from tui.core.runs import LaunchPlan, RunRequest
from tui.screens.base import Bench
from tui.screens.dialogs import Confirm
from tui.screens.launch.detail import Detail
from tui.screens.launch.draft import Draft
from tui.screens.launch.editing import EditingScreen
from tui.screens.launch.form import ParamForm
from tui.screens.launch.messages import Failed, Launched, ParamsRead, Planned
from tui.screens.launch.plan import PlanPane, runs_nothing
from tui.screens.title import Title
from tui.widgets.filterbar import FilterBar
from tui.widgets.keybar import KeyBar
from tui.widgets.line import Line
from tui.widgets.text import neutral

_FIRST_KEY = "train.objective"


class LaunchScreen(EditingScreen):
    """Change params, read the plan, launch; ends with the run, or with the draft to go on with another time."""

    scope: ClassVar[Scope] = "launch"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("launch"),
        *(Binding(str(number), f"jump_section({number - 1})", show=False) for number in range(1, 10)),
    ]
    PLAN_DELAY_S = 0.4
    DEFAULT_CSS = """
    LaunchScreen #body { height: 1fr; layout: vertical; }
    LaunchScreen #left { height: 1fr; }
    LaunchScreen.-wide #body { layout: horizontal; }
    LaunchScreen.-wide PlanPane { width: 45%; height: 1fr; }
    """

    def __init__(self, bench: Bench, kept: Draft | None = None) -> None:
        super().__init__(bench)
        self._kept = kept or Draft()
        self._plan: LaunchPlan | None = None
        self._is_planning = False
        self._waits_for_plan = False
        self._request = 0
        self._timer: Timer | None = None
        self._is_launching = False

    def compose(self) -> ComposeResult:
        """The form with its details, beside or above the plan."""
        yield Title("New run")
        yield Line(id="sections")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield ParamForm()
                yield FilterBar("find key")
                yield Detail(classes="box")
            yield PlanPane()
        yield KeyBar("launch")

    def on_mount(self) -> None:
        """Read the params."""
        self.query_one(ParamForm).focus()
        self._read_params()

    def on_resize(self) -> None:
        """A wide terminal has room for the plan at the side."""
        self.set_class(self.size.width >= 120, "-wide")

    @property
    def _pane(self) -> PlanPane:
        return self.query_one(PlanPane)

    # Reading and planning

    @work(thread=True, exclusive=True, group="params", exit_on_error=False)
    def _read_params(self) -> None:
        try:
            values = self.bench.runner.params()
        except UserError as error:
            self.post_message(Failed(0, error, "params"))
        else:
            self.post_message(ParamsRead(values))

    @on(ParamsRead)
    def _show_params(self, message: ParamsRead) -> None:
        self._draft = self._kept.moved_to(message.values, form_fields(message.values))
        self._changed()
        form = self.query_one(ParamForm)
        form.action_last_row()  # so that the section that follows is seen below its first key
        if not form.select(_FIRST_KEY):
            form.action_first_row()

    def draft_changed(self) -> None:
        """Find out soon what it would run; an older answer is stale from now on."""
        self._request += 1
        self._plan, self._is_planning, self._waits_for_plan = None, True, False
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(self.PLAN_DELAY_S, self.action_replan)

    def action_replan(self) -> None:
        """Ask for the plan now."""
        self._request += 1
        self._is_planning = True
        self._pane.say("… finding out what would run")
        self._find_plan(self._request, self._draft.request())

    @work(thread=True, exclusive=True, group="plan", exit_on_error=False)
    def _find_plan(self, request: int, what: RunRequest) -> None:
        try:
            plan = self.bench.runner.plan(what)
        except UserError as error:
            self.post_message(Failed(request, error, "plan"))
        else:
            self.post_message(Planned(request, plan))

    @on(Planned)
    def _show_plan(self, message: Planned) -> None:
        if message.request == self._request:
            self._plan, self._is_planning = message.plan, False
            self._pane.show(message.plan)
            if self._waits_for_plan:
                self._waits_for_plan = False
                self.action_launch()

    @on(Failed)
    def _show_failure(self, message: Failed) -> None:
        if message.what == "plan" and message.request != self._request:
            return
        self._is_launching = False
        if message.what == "plan":
            self._is_planning = self._waits_for_plan = False
        self._pane.show_failure(message.what, str(message.error))
        if message.what == "params":
            self.query_one(ParamForm).placeholder = "params cannot be read"

    def action_switch_focus(self) -> None:
        """Between form and plan."""
        (self.query_one(ParamForm) if self._pane.has_focus else self._pane).focus()

    # Launching

    def action_launch(self) -> None:
        """Start the run, unless something is wrong."""
        if not self.finish_editing():
            self.notify("First put right what is typed", severity="warning")
        elif self._problems:
            self.notify("First put right what is marked ✗", severity="warning")
            self._jump(self._problems)
        elif self._plan is not None and self._plan.problems:
            self.notify(neutral(self._plan.problems[0]), severity="error")
        elif not self._is_launching and self._draft.fields:
            self._launch_if_meant()

    def _launch_if_meant(self) -> None:
        """A launch without any change may be a slip of the hand: the plan tells whether it would do anything."""
        if self._plan is not None and runs_nothing(self._plan):
            effect = "Every stage is up to date: the new experiment would equal what is there."
            self.app.push_screen(Confirm("Launch anyway?", effect, "Launch"), lambda answer: self._launch(bool(answer)))
        elif self._is_planning and not self._draft.changes and not self._draft.force:
            self._waits_for_plan = True
            self._pane.say("… finding out what would run, then launching")
        else:
            self._launch(True)

    def _launch(self, is_meant: bool) -> None:
        if is_meant:
            self._is_launching = True
            self._pane.say("… launching")
            self._start(self._draft.request())

    @work(thread=True, group="launch", exit_on_error=False)
    def _start(self, request: RunRequest) -> None:
        try:
            run = self.bench.runner.launch(request)
        except UserError as error:
            self.post_message(Failed(0, error, "launch"))
        else:
            self.post_message(Launched(run))

    def worker_crashed(self, group: str) -> None:
        """The form can be used again."""
        self._is_launching = self._is_planning = self._waits_for_plan = False
        self._pane.say(f"({group} crashed)")

    @on(Launched)
    def _launched(self, message: Launched) -> None:
        self.dismiss(message.run)

    def action_back(self) -> None:
        """One layer out: the value that is typed, the search, then the form."""
        bar = self.query_one(FilterBar)
        if self.query_one(Detail).is_editing:
            self.end_editing()
        elif bar.value:
            bar.clear()
        else:
            self.dismiss(self._draft if self._draft.fields else self._kept)
