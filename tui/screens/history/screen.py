"""A metric along the commits of a branch: its curve, its values, and where it last moved by more than its noise."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from tui.commands import Scope, bindings
from tui.core.experiments import Experiment
from tui.core.history.blame_text import cause_text, headline, noise_text, since_then, way
from tui.core.history.blaming import Blame
from tui.screens.acting import ActingScreen
from tui.screens.base import Bench
from tui.screens.charted import ChartedScreen
from tui.screens.compare.screen import CompareScreen
from tui.screens.history.reading import Reading, read
from tui.screens.history.rows import columns, curve_of, mark_of, rows_of
from tui.screens.note import Problem
from tui.screens.run.screen import RunScreen
from tui.screens.title import Part, Title
from tui.widgets.chart import LineChart
from tui.widgets.keybar import KeyBar
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral


class HistoryScreen(ActingScreen, ChartedScreen[Reading]):
    """A commit and those before it on its first-parent line."""

    scope: ClassVar[Scope] = "history"
    BINDINGS: ClassVar[list[BindingType]] = bindings("history")
    INTERVAL_S = 1.0
    DEFAULT_CSS = """
    HistoryScreen LineChart { height: 2fr; min-height: 8; padding: 0 1; }
    HistoryScreen #told { height: auto; max-height: 5; padding: 0 1; }
    HistoryScreen #commits { height: 3fr; }
    """

    def __init__(self, bench: Bench, newest: Experiment, metric: str | None = None) -> None:
        super().__init__(bench)
        self._newest, self._metric = newest, metric
        self._reading: Reading | None = None
        self._only_changes = False

    def compose(self) -> ComposeResult:
        """Title, curve, what moved, commits."""
        yield Title("History")
        yield LineChart(x_label="commit", placeholder="reading the commits…")
        yield Static(id="told")
        yield VirtualTable(id="commits", classes="box", placeholder="reading the commits…")
        yield Problem()
        yield KeyBar("history")

    def on_mount(self) -> None:
        """The frame; the commits follow."""
        self.table.set_columns(columns(only_changes=False))
        self.table.focus()

    @property
    def _blame(self) -> Blame | None:
        return self._reading.blame if self._reading is not None else None

    # Reading

    def _tick(self) -> None:
        if self._reading is None or self._reading.is_pending:
            super()._tick()

    def read(self) -> Reading:
        """The line, with the metric that is wanted now."""
        return read(self.bench.store, self.bench.runner, self._newest, self._metric)

    def show(self, value: Reading) -> None:
        """Show the line."""
        self._reading = value
        self.tell_problem("")
        self._show()

    # Showing

    def _show(self) -> None:
        blame, chart = self._blame, self.chart
        self._show_title(blame)
        told = "\n".join(map(neutral, _told(blame))) if blame is not None else ""
        self.query_one("#told", Static).update(Content(told))
        if blame is None:
            self.table.placeholder = chart.placeholder = "no commit here has a metric"
            chart.set_series(())
            return
        chart.title = neutral(blame.key.text)
        chart.placeholder = "no commit has a number to draw"
        chart.set_series(curve_of(blame))
        chart.marks = mark_of(blame)
        rows = rows_of(blame, self.bench.clock(), only_changes=self._only_changes)
        self.table.border_title = Content(f"{rows.num_rows} {self._kind_and_rest()}").markup
        self.table.set_rows(rows)

    def _kind_and_rest(self) -> str:
        """What the rows are, and which are not there."""
        reading = self._reading
        cut = ", older ones are not shown" if reading is not None and reading.is_cut else ""
        pending = ", values are still being read" if reading is not None and reading.is_pending else ""
        return f"{'changes' if self._only_changes else 'commits'}{cut}{pending}"

    def _show_title(self, blame: Blame | None) -> None:
        name, title = neutral(self._newest.label), self.query_one(Title)
        if blame is None:
            title.tell(Part(f"History of {name}"))
            return
        better = {"higher": "higher is better", "lower": "lower is better", "none": ""}[way(blame.key)]
        names, place = self.choices()
        title.tell(
            Part(Content.styled(neutral(blame.key.text), "bold")),
            Part(better, rank=2),
            Part(f"up to {name}"),
            Part(f"{place + 1} of {len(names)}" if place is not None else "", rank=1),
        )

    @on(LineChart.Hovered)
    def _follow_chart(self, message: LineChart.Hovered) -> None:
        """The table goes to the commit under the cross-hair."""
        blame = self._blame
        if blame is not None and message.step is not None:
            place = min(max(round(message.step), 1), len(blame.points)) - 1
            self.table.select(blame.points[place].experiment.rev)

    @on(VirtualTable.Highlighted)
    def _follow_table(self) -> None:
        """The cross-hair goes to the commit at the cursor."""
        place = self._place()
        self.chart.crosshair = float(place + 1) if place is not None else None

    def _place(self) -> int | None:
        """Place of the commit at the cursor, the oldest at 0."""
        points = self._blame.points if self._blame is not None else ()
        key = self.table.cursor_key
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
            self.table.select(blame.move.end.experiment.rev)

    def action_toggle_changes(self) -> None:
        """Only commits where it changed, or all of them."""
        self._only_changes = not self._only_changes
        self.table.set_columns(columns(only_changes=self._only_changes))
        if self._blame is not None:
            self._show()

    # Metrics

    def choices(self) -> tuple[Sequence[str], int | None]:
        """Metrics that any of the commits has."""
        keys = self._reading.keys if self._reading is not None else ()
        blame = self._blame
        return [key.text for key in keys], keys.index(blame.key) if blame is not None and blame.key in keys else None

    def choose(self, place: int) -> None:
        """Read the line with another one."""
        self._metric = self.choices()[0][place]
        self.action_reload()


def _told(blame: Blame) -> list[str]:
    """Where it moved, by what noise, and what came after."""
    lines = [headline(blame)]
    if blame.move is not None:
        lines.append("; ".join(part for part in (since_then(blame, blame.move), cause_text(blame)) if part))
    return [*lines, noise_text(blame)]
