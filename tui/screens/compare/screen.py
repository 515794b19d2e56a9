"""Experiments side by side: metrics and params as rows, curves in one chart."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from tui.commands import Scope, bindings
from tui.core.comparison import Comparison, compare
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.screens.base import Bench, PollingScreen
from tui.screens.compare.curves import Curve, curves_of, overlay
from tui.screens.compare.reading import Reading, read
from tui.screens.compare.rows import Sheet, columns, is_heading, sheet
from tui.screens.dialogs import Choose
from tui.widgets.chart import LineChart
from tui.widgets.keybar import KeyBar
from tui.widgets.line import Line
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral


class CompareScreen(PollingScreen[None]):
    """A baseline and others."""

    scope: ClassVar[Scope] = "compare"
    BINDINGS: ClassVar[list[BindingType]] = bindings("compare")
    INTERVAL_S = 2.0
    DEFAULT_CSS = """
    CompareScreen #table { height: 3fr; }
    CompareScreen LineChart { height: 2fr; min-height: 8; padding: 0 1; }
    CompareScreen #problem { color: $text-error; display: none; }
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

    def __init__(self, bench: Bench, experiments: Sequence[Experiment], baseline: int = 0) -> None:
        super().__init__(bench)
        self._reading = Reading(tuple(experiments), tuple(() for _ in experiments))
        self._is_read = False
        self._baseline = baseline
        self._curve: Curve | None = None
        self._sheet: Sheet | None = None

    def compose(self) -> ComposeResult:
        """Title, table, chart."""
        yield Line("Compare", id="title", classes="title")
        yield VirtualTable(id="table", classes="box", placeholder="nothing to compare")
        yield LineChart(placeholder="reading the curves…")
        yield Line(id="problem")
        yield KeyBar("compare")

    def on_mount(self) -> None:
        """Params and metrics are known already; curves follow."""
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
        self._reading, self._is_read = message.reading, True
        self._show_problem(message.reading.problem)
        if changed:
            self._show_table()
        self._show_chart()

    @on(ReadFailed)
    def _show_failure(self, message: ReadFailed) -> None:
        if self.accepts(message.request):
            self._show_problem(str(message.error))

    def _show_problem(self, text: str) -> None:
        line = self.query_one("#problem", Line)
        line.display = bool(text)
        line.text = neutral(text)

    # Showing

    @property
    def _comparison(self) -> Comparison:
        experiments = self._reading.experiments
        return compare(experiments, experiments[self._baseline])

    def _show_table(self) -> None:
        comparison, table = self._comparison, self._table
        only = self.bench.settings.state.only_differences
        self._sheet = sheet(comparison, only_differences=only)
        wanted = columns(comparison)
        if list(table.columns) != wanted:
            table.set_columns(wanted)
        table.set_rows(self._sheet.rows)
        hidden = f"{self._sheet.hidden} equal rows hidden (d shows them)" if self._sheet.hidden else ""
        self.query_one("#title", Line).text = Content.assemble(
            (f"Compare {len(comparison.experiments)}", "bold"),
            f"  ⚑ {neutral(comparison.baseline.label)}  ",
            (f"▲ better ▼ worse  {hidden}", "dim"),
        )

    def _show_chart(self) -> None:
        chart, reading = self.query_one(LineChart), self._reading
        known = curves_of(reading.series)
        if self._curve not in known:
            self._curve = known[0] if known else None
        if self._curve is None:
            chart.title = "curves"
            chart.placeholder = "no curves in the local cache" if self._is_read else "reading the curves…"
            chart.set_series(())
            return
        place = f"  {known.index(self._curve) + 1} of {len(known)}"
        chart.title = f"{self._curve[0]}  {self._curve[1]}{place}"
        chart.set_series(overlay(reading.experiments, reading.series, self._curve))

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
            self._make_baseline(int(message.key))

    def action_next_baseline(self) -> None:
        """Compare against the next experiment."""
        self._make_baseline((self._baseline + 1) % len(self._reading.experiments))

    def _make_baseline(self, index: int) -> None:
        self._baseline = index
        self._show_table()

    @on(VirtualTable.Activated)
    def _choose_row(self, message: VirtualTable.Activated) -> None:
        """Curves of the metric in the row."""
        name = message.key.removeprefix("metric ")
        curve = next((one for one in curves_of(self._reading.series) if one[1] == name), None)
        if curve is None:
            self.notify("No curves of this row", markup=False)
        else:
            self._curve = curve
            self._show_chart()

    # Chart

    def action_next_metric(self) -> None:
        """Curves of the next metric."""
        self._step_metric(1)

    def action_previous_metric(self) -> None:
        """Curves of the previous metric."""
        self._step_metric(-1)

    def _step_metric(self, by: int) -> None:
        known = curves_of(self._reading.series)
        if self._curve in known:
            self._curve = known[(known.index(self._curve) + by) % len(known)]
            self._show_chart()

    def action_choose_metric(self) -> None:
        """Choose curves from a list."""
        known = curves_of(self._reading.series)
        if not known:
            return
        names = [neutral(f"{stage}  {name}") for stage, name in known]
        current = known.index(self._curve) if self._curve in known else None
        self.app.push_screen(Choose("Curves of", names, current), self._chosen)

    def _chosen(self, index: int | None) -> None:
        if index is not None:
            self._curve = curves_of(self._reading.series)[index]
            self._show_chart()

    def action_toggle_chart(self) -> None:
        """Show or hide the chart."""
        chart = self.query_one(LineChart)
        chart.display = not chart.display
        if not chart.display:
            self._table.focus()

    def action_toggle_log(self) -> None:
        """Switch the y axis."""
        chart = self.query_one(LineChart)
        chart.log_scale = not chart.log_scale

    def action_switch_focus(self) -> None:
        """Between table and chart."""
        chart = self.query_one(LineChart)
        (chart if self._table.has_focus and chart.display else self._table).focus()

    # Others

    def action_copy_row(self) -> None:
        """Copy the row, its values separated by tabs."""
        key = self._table.cursor_key
        if key is None or is_heading(key):
            return
        rows = self._comparison.params if key.startswith("param ") else self._comparison.metrics
        row = next(one for one in rows if one.key == key.partition(" ")[2])
        values = row.values if hasattr(row, "values") else [cell.value for cell in row.cells]
        self.app.copy_to_clipboard("\t".join([row.key, *map(str, values)]))
        self.notify("Copied the row")

    def action_back(self) -> None:
        """Leave the screen."""
        self.dismiss()
