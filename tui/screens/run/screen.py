"""One experiment: what it does now, or what it did."""

from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from tui.commands import Scope, bindings
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.screens.acting import ActingScreen
from tui.screens.base import Bench
from tui.screens.dialogs import TextDialog
from tui.screens.note import Problem
from tui.screens.reading import ReadingScreen
from tui.screens.run.curves import charts, default_stage, stages_to_show, stages_with_curves
from tui.screens.run.panel import (
    PANELS,
    Panel,
    Panels,
    answer_columns,
    answer_rows,
)
from tui.screens.run.reading import Reading, read
from tui.screens.run.samples import SamplesPane, stories
from tui.screens.run.title import title_parts
from tui.screens.title import Title
from tui.widgets.chartgrid import ChartGrid
from tui.widgets.keybar import KeyBar
from tui.widgets.stages import StageList
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral

_NUM_ANSWERS = 200


class RunScreen(ActingScreen, ReadingScreen[Reading]):
    """Stages, curves and log of a run; of a finished experiment the same, and its answers."""

    scope: ClassVar[Scope] = "run"
    BINDINGS: ClassVar[list[BindingType]] = bindings("run")
    DEFAULT_CSS = """
    RunScreen ChartGrid { height: 3fr; min-height: 7; padding: 0 1; }
    RunScreen Panels { height: 2fr; min-height: 5; }
    RunScreen.-problem ChartGrid { min-height: 4; }
    """

    class Answers(Message):
        """Answers of the model, or why there are none."""

        def __init__(self, rows: list[dict[str, Any]], problem: str) -> None:
            super().__init__()
            self.rows, self.problem = rows, problem

    def __init__(self, bench: Bench, experiment: Experiment) -> None:
        super().__init__(bench)
        self._experiment = experiment
        self._reading: Reading | None = None
        self._log_offset = 0
        self._stage: str | None = None
        self._has_asked_answers = False

    def compose(self) -> ComposeResult:
        """From top to bottom: title, stages, charts, panels."""
        yield Title(neutral(self._experiment.label))
        yield StageList()
        yield ChartGrid()
        yield Problem()
        yield Panels(classes="box")
        yield KeyBar("run")

    def on_mount(self) -> None:
        """What is known already; the rest follows."""
        self.query_one(Title).tell(*title_parts(self._experiment, None, "", self.bench.clock()))

    # Reading

    def _tick(self) -> None:
        if self._reading is None or self._reading.is_live:
            super()._tick()

    def read(self) -> Reading:
        """The experiment, its run, and what was added to the log."""
        return read(self.bench.store, self.bench.runner, self._experiment, self._log_offset)

    def show(self, value: Reading) -> None:
        """Show the state of the experiment."""
        first = self._reading is None
        self._reading, self._experiment, self._log_offset = value, value.experiment, value.log_offset
        self.tell_problem("; ".join(filter(None, (value.experiment.error, value.problem))))
        self._show_stages()
        self.query_one(Panels).show(value)
        if first:
            self._choose_first_panel(value)

    def _show_stages(self) -> None:
        reading = self._reading
        if reading is None:
            return
        progress, stage = reading.progress, self._shown_stage(reading)
        stages = self.query_one(StageList)
        stages.display = bool(progress)
        stages.show(progress, stage)
        grid = self.query_one(ChartGrid)
        grid.show(charts(reading.series, stage, reading.events))
        self._show_samples(reading, stage)
        note = f"{stage} {grid.page_text}" if stage else ""
        self.query_one(Title).tell(*title_parts(reading.experiment, reading.run, note, self.bench.clock()))

    def _show_samples(self, reading: Reading, stage: str | None) -> None:
        found = stories(reading.samples, stage)
        self.query_one(SamplesPane).show(found)
        self.query_one(Panels).count("samples", len(found))

    def _shown_stage(self, reading: Reading) -> str | None:
        return self._stage or default_stage(stages_with_curves(reading.series), reading.progress)

    def _choose_first_panel(self, reading: Reading) -> None:
        panels = self.query_one(Panels)
        has_log = reading.run is not None and (reading.is_live or reading.experiment.status != "done")
        panels.choose("log" if has_log else "metrics")

    # Answers

    @work(thread=True, exclusive=True, group="answers", exit_on_error=False)
    def _load_answers(self, experiment: Experiment) -> None:
        try:
            frame = self.bench.store.predictions(experiment)
            rows, problem = frame.head(_NUM_ANSWERS).to_dicts(), ""
        except UserError as error:
            rows, problem = [], str(error)
        self.post_message(self.Answers(rows, problem))

    @on(Answers)
    def _show_answers(self, message: Answers) -> None:
        table = self.query_one(Panels).table("answers")
        if message.rows:
            table.set_columns(answer_columns(list(message.rows[0]), self.size.width))
        table.set_rows(answer_rows(message.rows))
        if message.problem:
            self.tell_problem(message.problem)

    @on(VirtualTable.Activated)
    def _read_row(self, message: VirtualTable.Activated) -> None:
        table = message.table
        row = next((i for i in range(table.rows.num_rows) if table.rows.key(i) == message.key), None)
        if row is None:
            return
        cells = [(column.title or column.key, table.rows.cell(row, column.key)) for column in table.columns]
        parts = [f"{name}\n{cell if isinstance(cell, str) else cell[0]}" for name, cell in cells]
        self.app.push_screen(TextDialog("Row", neutral("\n\n".join(parts), multiline=True)))

    # Actions

    def chosen(self) -> Experiment:
        """The experiment of the screen."""
        return self._experiment

    def is_available(self, action: str) -> bool:
        """Only stages and charts that there are can be stepped to."""
        if action in {"next_stage", "previous_stage"}:
            return len(self._stages()) > 1
        if action == "next_page":
            return bool(self.query_one(ChartGrid).page_text)
        return super().is_available(action)

    def stoppable(self) -> str | None:
        """Id of its run, if that goes on."""
        run = self._reading.run if self._reading is not None else None
        return run.id if run is not None and run.is_active else None

    @on(StageList.Chosen)
    def _choose_stage(self, message: StageList.Chosen) -> None:
        self._stage = message.stage
        self._show_stages()

    def action_next_stage(self) -> None:
        """Charts of the next stage that has any."""
        self._step_stage(1)

    def action_previous_stage(self) -> None:
        """Charts of the previous stage that has any."""
        self._step_stage(-1)

    def _stages(self) -> list[str]:
        reading = self._reading
        return stages_to_show(reading.series, reading.progress) if reading is not None else []

    def _step_stage(self, by: int) -> None:
        reading, stages = self._reading, self._stages()
        if reading is not None and stages:
            now = self._shown_stage(reading)
            place = stages.index(now) if now in stages else 0
            self._stage = stages[(place + by) % len(stages)]
            self._show_stages()

    def action_next_page(self) -> None:
        """The charts that did not fit."""
        self.query_one(ChartGrid).next_page()
        self._show_stages()

    def action_toggle_log(self) -> None:
        """Switch the y axes."""
        self.query_one(ChartGrid).toggle_log()

    def action_cycle_panel(self) -> None:
        """See the next view below."""
        current = self.query_one(Panels).current
        self._see(PANELS[(PANELS.index(current) + 1) % len(PANELS)])

    def action_panel_log(self) -> None:
        """See the log."""
        self._see("log")

    def action_panel_params(self) -> None:
        """See the params."""
        self._see("params")

    def action_panel_metrics(self) -> None:
        """See the final metrics."""
        self._see("metrics")

    def action_panel_answers(self) -> None:
        """See answers of the model."""
        self._see("answers")

    def action_panel_events(self) -> None:
        """See what was seen while it ran."""
        self._see("events")

    def action_panel_samples(self) -> None:
        """See how answers to the fixed prompts changed."""
        self._see("samples")

    def _see(self, panel: Panel) -> None:
        self.query_one(Panels).choose(panel)
        if panel == "answers" and not self._has_asked_answers:
            self._has_asked_answers = True
            self._load_answers(self._experiment)
