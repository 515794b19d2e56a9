"""A metric along the commits of a branch: its curve, its values, and where it last moved by more than its noise."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from tui.commands import Scope, bindings
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.history.blame_text import cause_text, headline, noise_text, since_then, way
from tui.core.history.blaming import Blame
from tui.screens.acting import ActingScreen
from tui.screens.base import Bench
from tui.screens.compare.screen import CompareScreen
from tui.screens.dialogs import Choose
from tui.screens.history.reading import Reading, read
from tui.screens.history.rows import columns, curve_of, mark_of, rows_of
from tui.screens.run.screen import RunScreen
from tui.widgets.chart import LineChart
from tui.widgets.keybar import KeyBar
from tui.widgets.line import Line
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral

_TOLD_LINES = 3


class HistoryScreen(ActingScreen):
    """A commit and those before it on its first-parent line."""

    scope: ClassVar[Scope] = "history"
    BINDINGS: ClassVar[list[BindingType]] = bindings("history")
    INTERVAL_S = 1.0
    DEFAULT_CSS = """
    HistoryScreen LineChart { height: 2fr; min-height: 8; padding: 0 1; }
    HistoryScreen #told { height: auto; }
    HistoryScreen #commits { height: 3fr; }
    HistoryScreen #problem { color: $text-error; display: none; }
    """

    class Read(Message):
        """The line with the wanted metric."""

        def __init__(self, request: int, reading: Reading) -> None:
            super().__init__()
            self.request, self.reading = request, reading

    class ReadFailed(Message):
        """It could not be read."""

        def __init__(self, request: int, error: UserError) -> None:
            super().__init__()
            self.request, self.error = request, error

    def __init__(self, bench: Bench, newest: Experiment, metric: str | None = None) -> None:
        super().__init__(bench)
        self._newest, self._metric = newest, metric
        self._reading: Reading | None = None
        self._only_changes = False

    def compose(self) -> ComposeResult:
        """Title, curve, what moved, commits."""
        yield Line("History", id="title", classes="title")
        yield LineChart(x_label="commit", placeholder="reading the commits…")
        for index in range(_TOLD_LINES):
            yield Line(id=f"told-{index}")
        yield VirtualTable(id="commits", classes="box", placeholder="reading the commits…")
        yield Line(id="problem")
        yield KeyBar("history")

    def on_mount(self) -> None:
        """The frame; the commits follow."""
        self._table.set_columns(columns(only_changes=False))
        self._table.focus()

    @property
    def _table(self) -> VirtualTable:
        return self.query_one("#commits", VirtualTable)

    @property
    def _blame(self) -> Blame | None:
        return self._reading.blame if self._reading is not None else None

    # Reading

    def _tick(self) -> None:
        if self._reading is None or self._reading.is_pending:
            super()._tick()

    @work(thread=True, exclusive=True, group="poll", exit_on_error=False)
    def load(self, request: int) -> None:
        """Read the line, and the metric that is wanted now."""
        try:
            reading = read(self.bench.store, self.bench.runner, self._newest, self._metric)
        except UserError as error:
            self.post_message(self.ReadFailed(request, error))
        else:
            self.post_message(self.Read(request, reading))

    @on(Read)
    def _take(self, message: Read) -> None:
        if self.accepts(message.request):
            self._reading = message.reading
            self._show_problem("")
            self._show()

    @on(ReadFailed)
    def _show_failure(self, message: ReadFailed) -> None:
        if self.accepts(message.request):
            self._show_problem(str(message.error))

    def _show_problem(self, text: str) -> None:
        line = self.query_one("#problem", Line)
        line.display = bool(text)
        line.text = neutral(text)

    # Showing

    def _show(self) -> None:
        blame, chart = self._blame, self.query_one(LineChart)
        self.query_one("#title", Line).text = self._title(blame)
        told = _told(blame) if blame is not None else []
        for index in range(_TOLD_LINES):
            line = self.query_one(f"#told-{index}", Line)
            line.text = neutral(told[index]) if index < len(told) else ""
            line.display = index < len(told)
        if blame is None:
            self._table.placeholder = chart.placeholder = "no commit here has a metric"
            chart.set_series(())
            return
        chart.title = neutral(blame.key.text)
        chart.placeholder = "no commit has a number to draw"
        chart.set_series(curve_of(blame))
        chart.marks = mark_of(blame)
        rows = rows_of(blame, self.bench.clock(), only_changes=self._only_changes)
        self._table.border_title = Content(f"{rows.num_rows} {self._kind_and_rest()}").markup
        self._table.set_rows(rows)

    def _kind_and_rest(self) -> str:
        """What the rows are, and which are not there."""
        reading = self._reading
        cut = ", older ones are not shown" if reading is not None and reading.is_cut else ""
        pending = ", values are still being read" if reading is not None and reading.is_pending else ""
        return f"{'changes' if self._only_changes else 'commits'}{cut}{pending}"

    def _title(self, blame: Blame | None) -> Content:
        name = neutral(self._newest.label)
        if blame is None:
            return Content(f"History of {name}")
        better = {"higher": "higher is better", "lower": "lower is better", "none": ""}[way(blame.key)]
        keys = self._reading.keys if self._reading is not None else ()
        place = f"{keys.index(blame.key) + 1} of {len(keys)}" if blame.key in keys else ""
        parts = [
            Content.styled(neutral(blame.key.text), "bold"),
            Content(better),
            Content(f"up to {name}"),
            Content(place),
        ]
        return Content("  ").join([part for part in parts if part.plain])

    @on(LineChart.Hovered)
    def _follow_chart(self, message: LineChart.Hovered) -> None:
        """The table goes to the commit under the cross-hair."""
        blame = self._blame
        if blame is not None and message.step is not None:
            place = min(max(round(message.step), 1), len(blame.points)) - 1
            self._table.select(blame.points[place].experiment.rev)

    @on(VirtualTable.Highlighted)
    def _follow_table(self) -> None:
        """The cross-hair goes to the commit at the cursor."""
        place = self._place()
        self.query_one(LineChart).crosshair = float(place + 1) if place is not None else None

    def _place(self) -> int | None:
        """Place of the commit at the cursor, the oldest at 0."""
        points = self._blame.points if self._blame is not None else ()
        key = self._table.cursor_key
        return next((place for place, point in enumerate(points) if point.experiment.rev == key), None)

    def chosen(self) -> Experiment | None:
        """The commit at the cursor."""
        place = self._place()
        return self._blame.points[place].experiment if self._blame is not None and place is not None else None

    def stoppable(self) -> str | None:
        """Runs are stopped elsewhere."""
        return None

    # Actions

    @on(VirtualTable.Activated)
    def action_open(self) -> None:
        """Open the commit at the cursor."""
        row = self.chosen()
        if row is not None:
            self.app.push_screen(RunScreen(self.bench, row))

    def action_compare(self) -> None:
        """Compare the commit at the cursor with the one before; the one of the move with where that began."""
        place, blame = self._place(), self._blame
        if blame is None or place is None:
            return
        own = blame.points[place].experiment
        older = blame.points[place - 1].experiment if place else None
        if blame.move is not None and own.rev == blame.move.end.experiment.rev:
            older = blame.origin or older
        if older is None:
            self.notify("There is no commit before this one")
        else:
            self.app.push_screen(CompareScreen(self.bench, (older, own)))

    def action_jump(self) -> None:
        """Go to the commit where it last moved."""
        blame = self._blame
        if blame is None or blame.move is None:
            self.notify("It has not moved by more than its noise")
        else:
            self._table.select(blame.move.end.experiment.rev)

    def action_toggle_changes(self) -> None:
        """Only commits where it changed, or all of them."""
        self._only_changes = not self._only_changes
        self._table.set_columns(columns(only_changes=self._only_changes))
        if self._blame is not None:
            self._show()

    def action_next_metric(self) -> None:
        """The next metric."""
        self._step_metric(1)

    def action_previous_metric(self) -> None:
        """The metric before."""
        self._step_metric(-1)

    def _step_metric(self, by: int) -> None:
        keys = self._reading.keys if self._reading is not None else ()
        if self._blame is not None and self._blame.key in keys:
            self._change_metric(keys[(keys.index(self._blame.key) + by) % len(keys)].text)

    def action_choose_metric(self) -> None:
        """Choose the metric from a list."""
        keys = self._reading.keys if self._reading is not None else ()
        if keys and self._blame is not None:
            place = keys.index(self._blame.key) if self._blame.key in keys else None
            self.app.push_screen(Choose("History of", [neutral(key.text) for key in keys], place), self._metric_chosen)

    def _metric_chosen(self, index: int | None) -> None:
        if index is not None and self._reading is not None:
            self._change_metric(self._reading.keys[index].text)

    def _change_metric(self, text: str) -> None:
        self._metric = text
        self.action_reload()

    def action_toggle_log(self) -> None:
        """Switch the y axis."""
        chart = self.query_one(LineChart)
        chart.log_scale = not chart.log_scale

    def action_switch_focus(self) -> None:
        """Between the table and the chart."""
        (self.query_one(LineChart) if self._table.has_focus else self._table).focus()

    def action_back(self) -> None:
        """Leave."""
        self.dismiss()


def _told(blame: Blame) -> list[str]:
    """Where it moved, by what noise, and what came after."""
    lines = [headline(blame)]
    if blame.move is not None:
        lines.append("; ".join(part for part in (since_then(blame, blame.move), cause_text(blame)) if part))
    return [*lines, noise_text(blame)]
