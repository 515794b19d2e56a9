"""A form over the params of the workspace; shows what would run before it runs."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input

from tui.commands import Scope, bindings
from tui.core.errors import UserError
from tui.core.form import FormField, form_fields, parse, shown
from tui.core.runs import LaunchPlan, Run, RunRequest
from tui.screens.base import Bench, WorkerScreen
from tui.screens.dialogs import Choose
from tui.screens.launch.detail import Detail
from tui.screens.launch.draft import Draft, next_choice
from tui.screens.launch.form import ParamForm
from tui.screens.launch.messages import Failed, Launched, ParamsRead, Planned
from tui.screens.launch.plan import PlanPane
from tui.widgets.filterbar import FilterBar
from tui.widgets.keybar import KeyBar
from tui.widgets.line import Line
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral

_FIRST_KEY = "train.objective"
_NAME = "experiment name"


class LaunchScreen(WorkerScreen[Run | None]):
    """Change params, read the plan, launch; ends with the run, or with None."""

    scope: ClassVar[Scope] = "launch"
    BINDINGS: ClassVar[list[BindingType]] = bindings("launch")
    PLAN_DELAY_S = 0.4
    DEFAULT_CSS = """
    LaunchScreen #body { height: 1fr; layout: vertical; }
    LaunchScreen #left { height: 1fr; }
    LaunchScreen.-wide #body { layout: horizontal; }
    LaunchScreen.-wide PlanPane { width: 45%; height: 1fr; }
    """

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._draft = Draft()
        self._problems: dict[str, str] = {}
        self._typed_problem = ""
        self._plan: LaunchPlan | None = None
        self._request = 0
        self._timer: Timer | None = None
        self._edited: FormField | None = None
        self._is_launching = False

    def compose(self) -> ComposeResult:
        """The form with its details, beside or above the plan."""
        yield Line("New run", id="title", classes="title")
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
        self._draft = Draft(message.values, form_fields(message.values))
        self._changed()
        form = self.query_one(ParamForm)
        form.action_last_row()  # so that the section that follows is seen below its first key
        form.select(_FIRST_KEY)

    def _changed(self) -> None:
        """Show the draft, and find out what it would run."""
        self._problems = self._draft.problems()
        self._show_form()
        self._request += 1
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(self.PLAN_DELAY_S, self.action_replan)

    def action_replan(self) -> None:
        """Ask for the plan now."""
        self._request += 1
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
            self._plan = message.plan
            self._pane.show(message.plan)

    @on(Failed)
    def _show_failure(self, message: Failed) -> None:
        if message.what == "plan" and message.request != self._request:
            return
        self._is_launching = False
        self._pane.show_failure(message.what, str(message.error))
        if message.what == "params":
            self.query_one(ParamForm).placeholder = "params cannot be read"

    # Showing

    def _show_form(self) -> None:
        self.query_one(ParamForm).show(self._draft, self.query_one(FilterBar).value, self._problems)
        self._show_title()
        self._show_detail()

    def _show_title(self) -> None:
        draft, num = self._draft, len(self._draft.changes)
        changes = f"{num} change{'' if num == 1 else 's'}" if num else "params as in the workspace"
        bad = len(self._problems)
        self.query_one("#title", Line).text = Content.assemble(
            ("New run", "bold"),
            f"  {neutral(draft.name) or '(name is made up)'}  {changes}",
            ("  forced" if draft.force else "", "$text-warning"),
            (f"  ✗ {bad} problem{'' if bad == 1 else 's'}" if bad else "", "$text-error"),
        )

    def _show_detail(self) -> None:
        detail = self.query_one(Detail)
        one = self._edited or self._current()
        if one is None:
            detail.show("", Content(""))
            return
        problem = self._typed_problem or self._problems.get(one.key, "")
        default = f"; default {shown(one.default)}" if one.has_default else ""
        words = [
            Content.styled(f"✗ {neutral(problem)}", "$text-error") if problem else None,
            Content(neutral(one.help)),
            Content.styled(f"{one.allowed}{default}; workspace {neutral(shown(one.value))}", "dim"),
        ]
        detail.show(neutral(one.key), Content("\n").join([line for line in words if line]))

    def _current(self) -> FormField | None:
        key = self.query_one(ParamForm).cursor_key
        return self._draft.field_of(key) if key is not None else None

    @on(VirtualTable.Highlighted)
    def _highlighted(self) -> None:
        self._show_detail()

    # Editing

    def _set(self, one: FormField, value: Any) -> None:
        self._draft = self._draft.with_value(one, value)
        self._changed()

    def action_edit(self) -> None:
        """Change the value at the cursor in the way that suits it."""
        one = self._current()
        if one is None:
            return
        value = self._draft.value_of(one)
        if one.kind == "switch":
            self._set(one, not value)
        elif one.kind == "choice":
            current = one.choices.index(value) if value in one.choices else None
            self.app.push_screen(Choose(one.key, one.choices, current), self._setter(one))
        else:
            self._edited = one
            self.query_one(Detail).edit(one.key, shown(value))

    @on(VirtualTable.Activated)
    def _activated(self) -> None:
        self.action_edit()

    def _setter(self, one: FormField) -> Any:
        return lambda index: None if index is None else self._set(one, one.choices[index])

    def action_next_choice(self) -> None:
        """The next allowed value."""
        self._step_choice(1)

    def action_previous_choice(self) -> None:
        """The previous allowed value."""
        self._step_choice(-1)

    def _step_choice(self, by: int) -> None:
        one = self._current()
        if one is not None and one.kind in {"switch", "choice"}:
            self._set(one, next_choice(one, self._draft.value_of(one), by))

    @on(Detail.Typed)
    def _typed(self, message: Detail.Typed) -> None:
        one = self._edited
        if one is not None and one.key != _NAME:
            self._typed_problem = self._problem_with(one, message.text)
            self._show_detail()

    def _problem_with(self, one: FormField, text: str) -> str:
        try:
            return self._draft.with_value(one, parse(one, text)).problems().get(one.key, "")
        except ValueError as error:
            return str(error)

    @on(Detail.Entered)
    def _entered(self, message: Detail.Entered) -> None:
        one = self._edited
        if one is None:
            return
        if one.key == _NAME:
            self._draft = replace(self._draft, name=message.text.strip())
            self._end_editing()
            self._changed()
            return
        try:
            value = parse(one, message.text)
        except ValueError as error:
            self._typed_problem = str(error)
            self._show_detail()
        else:
            self._end_editing()
            self._set(one, value)

    @on(Detail.Ended)
    def _end_editing(self) -> None:
        self._edited, self._typed_problem = None, ""
        self.query_one(Detail).end()
        self.query_one(ParamForm).focus()
        self._show_detail()

    def action_name(self) -> None:
        """Type the name of the experiment."""
        help_text = "Names the experiment in Git; letters, digits, - and _. Empty makes one up."
        self._edited = FormField(_NAME, "text", "", allowed="text", help=help_text)
        self.query_one(Detail).edit(_NAME, self._draft.name)
        self._show_detail()

    def action_reset(self) -> None:
        """Back to the value of the workspace."""
        one = self._current()
        if one is not None:
            self._set(one, one.value)

    def action_reset_all(self) -> None:
        """Undo every change."""
        self._draft = replace(self._draft, changes={}, name="", force=False)
        self._changed()

    def action_toggle_force(self) -> None:
        """Run what is up to date as well, or not."""
        self._draft = replace(self._draft, force=not self._draft.force)
        self._changed()

    def action_next_changed(self) -> None:
        """Jump to the next key that is changed or wrong."""
        self._jump({*self._draft.changes, *self._problems})

    def _jump(self, wanted: Collection[str]) -> None:
        form = self.query_one(ParamForm)
        keys = [form.rows.key(row) for row in range(form.rows.num_rows)]
        after = [*keys[form.cursor_row + 1 :], *keys[: form.cursor_row + 1]]
        target = next((key for key in after if key in wanted), None)
        if target is not None:
            form.select(target)

    # Finding

    def action_filter(self) -> None:
        """Type a part of a key."""
        self.query_one(FilterBar).open()

    @on(FilterBar.Changed)
    def _filter(self) -> None:
        self._show_form()

    @on(FilterBar.Closed)
    def _filter_closed(self) -> None:
        self.query_one(ParamForm).focus()

    @on(Input.Submitted)
    def _ignore(self, message: Input.Submitted) -> None:
        message.stop()

    def action_switch_focus(self) -> None:
        """Between form and plan."""
        (self.query_one(ParamForm) if self._pane.has_focus else self._pane).focus()

    # Launching

    def action_launch(self) -> None:
        """Start the run, unless something is wrong."""
        if self._problems:
            self.notify("First put right what is marked ✗", severity="warning")
            self._jump(self._problems)
        elif self._plan is not None and self._plan.problems:
            self.notify(neutral(self._plan.problems[0]), severity="error")
        elif not self._is_launching and self._draft.fields:
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
        self._is_launching = False
        self._pane.say(f"({group} crashed)")

    @on(Launched)
    def _launched(self, message: Launched) -> None:
        self.dismiss(message.run)

    def action_back(self) -> None:
        """One layer out: the search, then the form."""
        bar = self.query_one(FilterBar)
        if bar.value:
            bar.clear()
        else:
            self.dismiss(None)
