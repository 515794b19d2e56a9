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
from tui.core.evidence import read_evidence
from tui.core.examples import Evidence
from tui.core.experiments import Experiment
from tui.core.grouping import group_by_seed
from tui.screens.base import Bench
from tui.screens.charted import ChartedScreen
from tui.screens.compare.curve_chart import CurveChart
from tui.screens.compare.examples import ExamplesScreen
from tui.screens.compare.reading import Reading, read
from tui.screens.compare.rows import Sheet, columns, metric_name, sheet, values_of
from tui.screens.note import Note, Problem
from tui.screens.title import Part, Title
from tui.widgets.keybar import KeyBar
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral


class CompareScreen(ChartedScreen[Reading]):
    """A baseline and others."""

    scope: ClassVar[Scope] = "compare"
    BINDINGS: ClassVar[list[BindingType]] = bindings("compare")
    INTERVAL_S = 2.0
    DEFAULT_CSS = """
    CompareScreen #table { height: 3fr; }
    CompareScreen LineChart { height: 2fr; min-height: 8; padding: 0 1; }
    """

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
        self._is_grouped = self._is_read = False
        self._with_intervals = True

    def compose(self) -> ComposeResult:
        """Title, table, chart."""
        yield Title("Compare")
        yield VirtualTable(id="table", classes="box", placeholder="nothing to compare")
        yield CurveChart()
        yield Note(id="note")
        yield Problem()
        yield KeyBar("compare")

    def on_mount(self) -> None:
        """Params and metrics are known already; curves and what the examples say follow."""
        self.table.focus()
        self._show_table()
        self.table.select(self._sheet.first_row if self._sheet is not None else "")

    @property
    def chart(self) -> CurveChart:
        """The curves."""
        return self.query_one(CurveChart)

    def choices(self) -> tuple[Sequence[str], int | None]:
        """Curves that any of them has."""
        return self.chart.names, self.chart.place

    def choose(self, place: int) -> None:
        """Draw other curves."""
        self.chart.choose(place)

    # Reading

    def _tick(self) -> None:
        if self._reading.is_live:
            super()._tick()

    def read(self) -> Reading:
        """Experiments and curves."""
        return read(self.bench.store, self.bench.runner, self._reading.experiments)

    def show(self, value: Reading) -> None:
        """Ask for evidence again only where there may be some."""
        has_changed = value.experiments != self._reading.experiments
        has_results = not self._is_read or _progress(value) != _progress(self._reading)
        self._reading, self._is_read = value, True
        if has_changed:
            self._show_table()
        if has_results:
            self._ask_evidence()
        self.chart.show(value)
        self.tell_problem(value.problem)

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
            self.query_one("#note", Note).tell("; ".join(message.evidence.notes))
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
        comparison, table = self._comparison, self.table
        only = self.bench.settings.state.only_differences
        self._sheet = sheet(comparison, only_differences=only, with_evidence=self._with_intervals)
        wanted = columns(comparison)
        if list(table.columns) != wanted:
            table.set_columns(wanted)
        table.set_rows(self._sheet.rows)
        self._show_title(comparison, self._sheet.hidden)

    def _show_title(self, comparison: Comparison, num_hidden: int) -> None:
        seeds = f"{len(self._reading.experiments)} grouped by seed" if self._is_grouped else ""
        hidden = f"{num_hidden} equal rows hidden (d shows them)" if num_hidden else ""
        self.query_one(Title).tell(
            Part(Content.styled(f"Compare {len(comparison.experiments)}", "bold")),
            Part(seeds),
            Part(f"⚑ {neutral(comparison.baseline.label)}"),
            Part(Content.styled("▲ better ▼ worse ~ chance", "dim"), rank=1),
            Part(Content.styled(hidden, "dim"), Content.styled(f"{num_hidden} equal hidden (d)", "dim"), rank=2),
        )

    # Rows

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
        self._jump(1)

    def action_previous_difference(self) -> None:
        """Jump up."""
        self._jump(-1)

    def _jump(self, by: int) -> None:
        target = self._sheet.next_differing(self.table.cursor_row, by) if self._sheet is not None else None
        if target is None:
            self.notify("Nothing differs")
        else:
            self.table.select(target)

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
        if not self.chart.choose_metric(metric_name(message.key)):
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
        name = metric_name(self.table.cursor_key or "")
        key = name.removeprefix("test/") if name.startswith("test/") else None
        self.app.push_screen(ExamplesScreen(self.bench, baseline, others, key))

    def action_copy_row(self) -> None:
        """Copy the row, its values separated by tabs."""
        key = self.table.cursor_key
        values = None if key is None else values_of(self._comparison, key)
        if key is not None and values is not None:
            self.app.copy_to_clipboard("\t".join([metric_name(key), *map(str, values)]))
            self.notify("Copied the row")


def _progress(reading: Reading) -> list[tuple[str, str, str | None]]:
    """What changes when a run may have new per-example results; its metrics change all the time."""
    return [(one.rev, one.status, one.stage) for one in reading.experiments]
