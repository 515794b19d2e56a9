"""Experiments side by side: metrics and params as rows, curves in one chart."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from tui.commands import Scope, bindings
from tui.core.comparison import Comparison, compare, compare_groups
from tui.core.errors import UserError
from tui.core.evidence import read_evidence
from tui.core.examples import Evidence
from tui.core.experiments import Experiment
from tui.core.grouping import group_by_seed
from tui.screens.base import Bench
from tui.screens.compare.charted import ChartedScreen
from tui.screens.compare.examples import ExamplesScreen
from tui.screens.compare.reading import Reading, read
from tui.screens.compare.rows import Sheet, columns, is_heading, metric_name, sheet, values_of
from tui.widgets.chart import LineChart
from tui.widgets.keybar import KeyBar
from tui.widgets.line import Line
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral


class CompareScreen(ChartedScreen):
    """A baseline and others."""

    scope: ClassVar[Scope] = "compare"
    BINDINGS: ClassVar[list[BindingType]] = bindings("compare")
    INTERVAL_S = 2.0
    DEFAULT_CSS = """
    CompareScreen #table { height: 3fr; }
    CompareScreen LineChart { height: 2fr; min-height: 8; padding: 0 1; }
    CompareScreen #problem { color: $text-error; display: none; }
    CompareScreen #note { color: $text-muted; display: none; }
    """

    class Read(Message):
        """Experiments with their curves."""

        def __init__(self, request: int, reading: Reading) -> None:
            super().__init__()
            self.request, self.reading = request, reading

    class ReadFailed(Message):
        """They could not be read."""

        def __init__(self, request: int, error: UserError) -> None:
            super().__init__()
            self.request, self.error = request, error

    class EvidenceRead(Message):
        """What their per-example results say."""

        def __init__(self, request: int, evidence: Evidence) -> None:
            super().__init__()
            self.request, self.evidence = request, evidence

    def __init__(self, bench: Bench, experiments: Sequence[Experiment], baseline: int = 0) -> None:
        super().__init__(bench)
        self._reading = Reading(tuple(experiments), tuple(() for _ in experiments))
        self._baseline = baseline
        self._sheet: Sheet | None = None
        self._evidence: Evidence | None = None
        self._evidence_request = 0
        self._is_grouped = False
        self._with_intervals = True

    def compose(self) -> ComposeResult:
        """Title, table, chart."""
        yield Line("Compare", id="title", classes="title")
        yield VirtualTable(id="table", classes="box", placeholder="nothing to compare")
        yield LineChart(placeholder="reading the curves…")
        yield Line(id="note")
        yield Line(id="problem")
        yield KeyBar("compare")

    def on_mount(self) -> None:
        """Params and metrics are known already; curves and what the examples say follow."""
        self._table.focus()
        self._show_table()
        self._to_first_row()

    @property
    def _table(self) -> VirtualTable:
        return self.query_one("#table", VirtualTable)

    # Reading

    def _tick(self) -> None:
        if self._reading.is_live:
            super()._tick()

    @work(thread=True, exclusive=True, group="poll", exit_on_error=False)
    def load(self, request: int) -> None:
        """Read experiments and curves."""
        try:
            reading = read(self.bench.store, self.bench.runner, self._reading.experiments)
        except UserError as error:
            self.post_message(self.ReadFailed(request, error))
        else:
            self.post_message(self.Read(request, reading))

    @on(Read)
    def _show(self, message: Read) -> None:
        if not self.accepts(message.request):
            return
        changed = message.reading.experiments != self._reading.experiments
        has_results = not self._is_read or _progress(message.reading) != _progress(self._reading)
        self._reading, self._is_read = message.reading, True
        self._show_line("#problem", message.reading.problem)
        if changed:
            self._show_table()
        if has_results:
            self._ask_evidence()
        self.show_chart()

    @on(ReadFailed)
    def _show_failure(self, message: ReadFailed) -> None:
        if self.accepts(message.request):
            self._show_line("#problem", str(message.error))

    def _show_line(self, selector: str, text: str) -> None:
        line = self.query_one(selector, Line)
        line.display = bool(text)
        line.text = neutral(text)

    # What the examples say

    def _ask_evidence(self) -> None:
        self._evidence_request += 1
        experiments = self._reading.experiments
        self._read_evidence(self._evidence_request, experiments, experiments[self._baseline])

    @work(thread=True, exclusive=True, group="evidence", exit_on_error=False)
    def _read_evidence(self, request: int, experiments: Sequence[Experiment], baseline: Experiment) -> None:
        """A file that cannot be read is a note of the evidence."""
        self.post_message(self.EvidenceRead(request, read_evidence(self.bench.store, experiments, baseline)))

    @on(EvidenceRead)
    def _show_evidence(self, message: EvidenceRead) -> None:
        if message.request == self._evidence_request:
            self._evidence = message.evidence
            self._show_line("#note", "; ".join(message.evidence.notes))
            self._show_table()

    # Showing

    @property
    def _comparison(self) -> Comparison:
        experiments = self._reading.experiments
        if not self._is_grouped:
            return compare(experiments, experiments[self._baseline], self._evidence)
        groups = group_by_seed(experiments)
        base = experiments[self._baseline]
        alike = (place for place, group in enumerate(groups) if base in group.experiments)
        return compare_groups(groups, next(alike, 0))

    def _show_table(self) -> None:
        comparison, table = self._comparison, self._table
        only = self.bench.settings.state.only_differences
        self._sheet = sheet(comparison, only_differences=only, with_evidence=self._with_intervals)
        wanted = columns(comparison)
        if list(table.columns) != wanted:
            table.set_columns(wanted)
        table.set_rows(self._sheet.rows)
        hidden = f"{self._sheet.hidden} equal rows hidden (d shows them)" if self._sheet.hidden else ""
        seeds = f"{len(self._reading.experiments)} grouped by seed  " if self._is_grouped else ""
        self.query_one("#title", Line).text = Content.assemble(
            (f"Compare {len(comparison.experiments)}", "bold"),
            f"  {seeds}⚑ {neutral(comparison.baseline.label)}  ",
            (f"▲ better ▼ worse ~ chance  {hidden}", "dim"),
        )

    # Rows

    def _to_first_row(self) -> None:
        keys = self._keys()
        first = next((key for key in keys if not is_heading(key)), None)
        if first is not None:
            self._table.select(first)

    def _keys(self) -> list[str]:
        rows = self._table.rows
        return [rows.key(row) for row in range(rows.num_rows)]

    def action_toggle_differences(self) -> None:
        """Hide what is equal, or show it."""
        self.bench.settings.update(only_differences=not self.bench.settings.state.only_differences)
        self._show_table()

    def action_toggle_intervals(self) -> None:
        """Hide what the examples say, or show it."""
        self._with_intervals = not self._with_intervals
        self._show_table()

    def action_toggle_seeds(self) -> None:
        """Single experiments, or groups of those that differ only in their seed."""
        self._is_grouped = not self._is_grouped
        if self._is_grouped and len(self._comparison.experiments) == len(self._reading.experiments):
            self._is_grouped = False
            self.notify("No two of these differ only in their seed")
        self._show_table()

    def action_next_difference(self) -> None:
        """Jump down."""
        keys, place = self._keys(), self._table.cursor_row
        self._jump([*keys[place + 1 :], *keys[: place + 1]])

    def action_previous_difference(self) -> None:
        """Jump up."""
        keys, place = self._keys(), self._table.cursor_row
        self._jump([*reversed(keys[:place]), *reversed(keys[place:])])

    def _jump(self, keys: Sequence[str]) -> None:
        differing = self._sheet.differing if self._sheet is not None else frozenset()
        target = next((key for key in keys if key in differing), None)
        if target is None:
            self.notify("Nothing differs")
        else:
            self._table.select(target)

    @on(VirtualTable.HeaderPressed)
    def _press_header(self, message: VirtualTable.HeaderPressed) -> None:
        if message.key.isdigit():
            self._make_baseline(self._comparison.experiments[int(message.key)])

    def action_next_baseline(self) -> None:
        """Compare against the next experiment, or the next group."""
        shown = self._comparison
        place = shown.experiments.index(shown.baseline)
        self._make_baseline(shown.experiments[(place + 1) % len(shown.experiments)])

    def _make_baseline(self, experiment: Experiment) -> None:
        self._baseline = self._reading.experiments.index(experiment)
        self._evidence = None  # it is about another baseline
        self._show_table()
        self._ask_evidence()

    @on(VirtualTable.Activated)
    def _choose_row(self, message: VirtualTable.Activated) -> None:
        """Curves of the metric in the row."""
        if not self.show_curves_of(metric_name(message.key)):
            self.notify("No curves of this row", markup=False)

    # Others

    def action_examples(self) -> None:
        """Example by example, by the score of the row if it has one."""
        experiments = self._reading.experiments
        baseline = experiments[self._baseline]
        others = [one for one in experiments if one is not baseline]
        if not others:
            self.notify("Only one experiment: nothing was fixed or broke")
            return
        name = metric_name(self._table.cursor_key or "")
        key = name.removeprefix("test/") if name.startswith("test/") else None
        self.app.push_screen(ExamplesScreen(self.bench, baseline, others, key))

    def action_toggle_chart(self) -> None:
        """Show or hide the chart."""
        chart = self.query_one(LineChart)
        chart.display = not chart.display
        if not chart.display:
            self._table.focus()

    def action_switch_focus(self) -> None:
        """Between table and chart."""
        chart = self.query_one(LineChart)
        (chart if self._table.has_focus and chart.display else self._table).focus()

    def action_copy_row(self) -> None:
        """Copy the row, its values separated by tabs."""
        key = self._table.cursor_key
        values = None if key is None else values_of(self._comparison, key)
        if key is not None and values is not None:
            self.app.copy_to_clipboard("\t".join([metric_name(key), *map(str, values)]))
            self.notify("Copied the row")

    def action_back(self) -> None:
        """Leave the screen."""
        self.dismiss()


def _progress(reading: Reading) -> list[tuple[str, str, str | None]]:
    """What changes when a run may have new per-example results; its metrics change all the time."""
    return [(one.rev, one.status, one.stage) for one in reading.experiments]
