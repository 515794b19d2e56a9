"""The home screen: browse, mark, sort and filter everything that the history holds, and what is running."""

from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content

from tui.commands import Scope, bindings
from tui.core.catalogue import Catalogue, Cataloguer
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.orders import Arranger
from tui.core.rows import row_key
from tui.core.runs import Run
from tui.messages import ActiveRuns
from tui.screens.acting import ActingScreen
from tui.screens.base import Bench
from tui.screens.compare.screen import CompareScreen
from tui.screens.experiments.header import Counts, branch_of, count_runs, header, status
from tui.screens.experiments.listing import Listing
from tui.screens.experiments.messages import Arrived, Curves, Failed
from tui.screens.experiments.sparks import SparkName, Sparks, read_sparks
from tui.screens.history.screen import HistoryScreen
from tui.screens.launch.draft import Draft
from tui.screens.launch.screen import LaunchScreen
from tui.screens.query.screen import QueryScreen
from tui.screens.run.screen import RunScreen
from tui.widgets.filterbar import FilterBar
from tui.widgets.keybar import KeyBar
from tui.widgets.line import Line
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral

_FILTER_HINTS = ("word", "key=value", "key>1e-4", "key:text", "has:key", "-not", "a b: both", "a | b: either")
_WIDE = 120  # columns of the terminal from which on titles are written in full


class ExperimentsScreen(ActingScreen):
    """Commits and experiments in a tree."""

    scope: ClassVar[Scope] = "experiments"
    BINDINGS: ClassVar[list[BindingType]] = bindings("experiments")
    DEFAULT_CSS = """
    ExperimentsScreen #hint { height: 1; display: none; color: $text-accent; }
    """

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._sparks = Sparks()
        self._cataloguer = Cataloguer()
        self._runs: list[Run] = []
        self._arranger = Arranger(Catalogue())
        self._listing = Listing(self._arranger, bench.settings.state, bench.clock(), self._sparks, is_narrow=True)
        self._counts = Counts()
        self._problem = ""
        self._note = ""
        self._draft = Draft()
        self._wanted: str | None = None
        self._left: str | None = None  # row that the cursor was on when typing a filter began

    def compose(self) -> ComposeResult:
        """From top to bottom: header, table, filter, status, keys."""
        yield Line(id="header", classes="title")
        yield VirtualTable(id="table", classes="box", placeholder="reading the project…")
        yield Line("No experiments yet: press n to change params and launch the first run", id="hint")
        yield FilterBar("filter", self.bench.settings.state.filter)
        yield Line(id="status")
        yield KeyBar("experiments")

    def on_mount(self) -> None:
        """Show the frame; the rows follow."""
        self._table.focus()
        self._show_frame()

    @property
    def _table(self) -> VirtualTable:
        return self.query_one("#table", VirtualTable)

    # Reading

    @work(thread=True, exclusive=True, group="poll", exit_on_error=False)
    def load(self, request: int) -> None:
        """Read runs and experiments."""
        bench = self.bench
        try:
            runs = bench.runner.runs()
            catalogue = self._cataloguer.update(bench.store.experiments(runs))
        except UserError as error:
            self.post_message(Failed(request, error))
        else:
            self.post_message(Arrived(request, catalogue, runs))

    @on(Arrived)
    def _arrived(self, message: Arrived) -> None:
        if not self.accepts(message.request):
            return
        self._problem = ""
        self._runs = message.runs
        counts = count_runs(message.catalogue.active, message.runs)
        if counts != self._counts:
            self._counts = counts
            self.post_message(ActiveRuns(counts.num_running, counts.num_queued))
        self._list(message.catalogue)
        if self._wanted is not None and self._table.select(self._wanted):
            self._wanted = None

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        if self.accepts(message.request):
            self._problem = str(message.error)
            self._table.placeholder = "the project cannot be read"
            self._show_status()

    # Showing

    def _list(self, arrived: Catalogue | None = None) -> None:
        """Arrange and show the experiments, or those of before under a changed view."""
        catalogue = self._listing.catalogue if arrived is None else arrived
        state, now, old = self.bench.settings.state, self.bench.clock(), self._listing
        is_narrow = self.size.width < _WIDE
        if not catalogue.experiments and arrived is None:
            return
        if not old.is_for(catalogue, state, now, is_narrow=is_narrow):
            if self._arranger.catalogue is not catalogue:
                self._arranger = Arranger(catalogue)
            listing = Listing(self._arranger, state, now, self._sparks, is_narrow=is_narrow, before=old)
            self._listing = listing
            table = self._table
            if listing.columns != old.columns:
                table.set_columns(listing.columns)
            table.placeholder = listing.placeholder
            table.set_rows(listing)
            table.set_marks(listing.marks)
            table.set_sort(*listing.sort_marks)
        self._show_frame()

    def on_resize(self) -> None:
        """Columns may become narrow, or have room again."""
        self._list()

    @work(thread=True, exclusive=True, group="sparks", exit_on_error=False)
    def _read_sparks(self, wanted: dict[SparkName, Experiment]) -> None:
        self.post_message(Curves(read_sparks(self.bench.store, wanted)))

    @on(Curves)
    def _show_sparks(self, message: Curves) -> None:
        if self._sparks.learn(message.curves):
            self._list()
            self._table.refresh_rows()

    def _tick(self) -> None:
        super()._tick()
        wanted = self._sparks.take_wanted()
        if wanted:
            self._read_sparks(wanted)

    def _show_frame(self) -> None:
        listing, bench = self._listing, self.bench
        self.query_one("#header", Line).text = header(
            bench.store.root.name,
            branch_of(listing.experiments),
            self._counts,
            listing.main_metric.text if listing.main_metric is not None else "",
            read_only=bench.read_only,
        )
        self.query_one("#hint", Line).display = listing.is_without_experiments and not bench.read_only
        title = Content(neutral(listing.title)).markup
        if title != self._table.border_title:
            self._table.border_title = title
        self.query_one(FilterBar).show_counts(listing.filter_problem or listing.counts)
        self._show_status()

    def _show_status(self) -> None:
        line = self.query_one("#status", Line)
        if self._problem:
            line.text = Content.styled(f"✗ {neutral(self._problem)}", "$text-error")
            return
        if self.query_one(FilterBar).is_open:
            line.text = Content.styled("  ".join(_FILTER_HINTS), "dim")
            return
        row = self.chosen()
        line.text = self._note or (status(row) if row is not None else "")

    @on(VirtualTable.Highlighted)
    def _highlighted(self) -> None:
        self._note = ""
        self._show_status()

    def chosen(self) -> Experiment | None:
        """The experiment at the cursor."""
        key = self._table.cursor_key
        return self._listing.find(key) if key is not None else None

    def stoppable(self) -> str | None:
        """Id of its run, if that goes on."""
        row = self.chosen()
        return row.run_id if row is not None and row.status in {"running", "queued"} else None

    def _change(self, **changes: Any) -> None:
        """Change the view, remember it, show it."""
        settings = self.bench.settings
        before = settings.problem
        settings.update(**changes)
        if settings.problem is not None and settings.problem != before:
            self.notify(neutral(settings.problem), severity="warning", markup=False)
        self._list()

    # Sort and filter

    def action_sort_next(self) -> None:
        """Sort by the next column, best first."""
        self._change(sort=self._listing.next_sort(), is_turned=False)

    def action_sort_turn(self) -> None:
        """Turn the order around."""
        self._change(is_turned=not self.bench.settings.state.is_turned)

    @on(VirtualTable.HeaderPressed)
    def _sort_by(self, message: VirtualTable.HeaderPressed) -> None:
        state = self.bench.settings.state
        if state.sort != message.key:
            self._change(sort=message.key, is_turned=False)
        elif not state.is_turned:
            self._change(is_turned=True)
        else:
            self._change(sort=None, is_turned=False)

    def action_filter(self) -> None:
        """Type a filter."""
        self._left = self._table.cursor_key
        self.query_one(FilterBar).open()
        self._show_status()

    @on(FilterBar.Changed)
    def _filter(self, message: FilterBar.Changed) -> None:
        self._change(filter=message.text)
        if self._left is not None:
            self._table.select(self._left)

    @on(FilterBar.Closed)
    def _filter_closed(self) -> None:
        self._left = None
        self._table.focus()
        self._show_status()

    def action_toggle_flat(self) -> None:
        """Tree or list."""
        self._change(is_flat=not self.bench.settings.state.is_flat)

    def action_toggle_fold(self) -> None:
        """Hide or show the experiments of the commit at the cursor."""
        row = self.chosen()
        if row is None:
            return
        if self.bench.settings.state.filter.strip():
            self.notify("A filter shows what is folded as well; esc clears it")
            return
        key = row.baseline if row.kind == "experiment" and row.baseline else row.rev
        folded = set(self.bench.settings.state.folded) ^ {key}
        self._change(folded=tuple(sorted(folded)))
        self._table.select(key)

    # Marks, baseline, main metric

    @on(VirtualTable.Marked)
    def _mark(self, message: VirtualTable.Marked) -> None:
        marks = self.bench.settings.state.marks
        rest = tuple(key for key in marks if key != message.key)
        self._change(marks=rest if rest != marks else (*marks, message.key))
        self._table.action_move(1)

    def action_unmark(self) -> None:
        """Remove all marks."""
        self._change(marks=())

    def action_pin_baseline(self) -> None:
        """Compare others against the row at the cursor; again: against their commits."""
        key = self._table.cursor_key
        self._change(baseline=None if key == self.bench.settings.state.baseline else key)

    def action_next_metric(self) -> None:
        """Judge by the next metric."""
        self._change(main_metric=self._listing.next_metric())

    # Other screens

    @on(VirtualTable.Activated)
    def action_open(self) -> None:
        """Open the row at the cursor."""
        row = self.chosen()
        if row is not None:
            self.app.push_screen(RunScreen(self.bench, row))

    def action_compare(self) -> None:
        """Compare what is marked; a single row with its baseline."""
        chosen = self._listing.to_compare(self.chosen())
        if len(chosen) < 2:
            self.notify("Mark at least two rows with space, then press c")
        else:
            self.app.push_screen(CompareScreen(self.bench, chosen))

    def action_history(self) -> None:
        """The main metric along the commits up to the row at the cursor."""
        row, metric = self.chosen(), self._listing.main_metric
        if row is not None:
            self.app.push_screen(HistoryScreen(self.bench, row, metric.text if metric is not None else None))

    def action_query(self) -> None:
        """Ask in SQL."""
        self.app.push_screen(QueryScreen(self.bench))

    def action_launch(self) -> None:
        """Open the form, with the draft of before if it was not launched."""
        self.app.push_screen(LaunchScreen(self.bench, self._draft), self._form_left)

    def _form_left(self, outcome: Run | Draft | None) -> None:
        if isinstance(outcome, Run):
            self._draft, self._note = Draft(), ""
            self._wanted = wanted_key(outcome)
            self.notify(f"Launched {neutral(outcome.name)}", markup=False)
        elif outcome is not None:
            self._draft = outcome
            name = f"{neutral(outcome.name)}, " if outcome.name else ""
            words = f"draft kept: {name}{outcome.words}; n goes on with it, U there resets it"
            self._note = words if outcome.is_changed else ""
            self._show_status()

    # Small things

    def action_mark(self) -> None:
        """Mark the row at the cursor."""
        self._table.action_mark()

    def action_back(self) -> None:
        """Clear the filter; never quits."""
        self.query_one(FilterBar).clear()


def wanted_key(run: Run) -> str:
    """The key of the row that a run will have."""
    return row_key(Experiment(rev=run.snapshot, kind="experiment", name=run.name, baseline=run.baseline))
