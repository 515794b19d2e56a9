"""Ask in SQL: an editor above, the rows below, the tables at the side."""

import threading
from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content

from tui.commands import Scope, bindings
from tui.core.errors import UserError
from tui.core.queries import QueryError, place_in
from tui.screens.base import Bench
from tui.screens.note import Problem
from tui.screens.query.catalog import Catalog
from tui.screens.query.history import remembered
from tui.screens.query.messages import Answered, Failed
from tui.screens.query.results import ResultScreen
from tui.screens.query.rows import ResultRows
from tui.widgets.keybar import KeyBar
from tui.widgets.line import Line
from tui.widgets.sql_editor import SqlEditor
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral

LIMIT = 10_000
TIMEOUT_S = 60.0
_TICK_S = 0.1
_WIDE = 120  # columns of the terminal from which on the tables stand at the side
_CANCELLED, _FAILED = ("⊘ cancelled", "$text-warning"), ("✗ failed", "$text-error")
_EXAMPLE = "SELECT key, min(value) AS lowest, max(value) AS highest\nFROM metrics GROUP BY key ORDER BY key"


class QueryScreen(ResultScreen):
    """One query at a time; what was asked before is kept."""

    scope: ClassVar[Scope] = "query"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("query"),
        Binding("ctrl+c", "cancel", "Cancel", show=False, priority=True),  # the editor copies with it otherwise
    ]
    DEFAULT_CSS = """
    QueryScreen {
        #panes { height: 1fr; }
        #editor { height: 30%; min-height: 6; max-height: 16; border: round $foreground 30%; padding: 0 1; }
        #editor { border-title-color: $foreground; &:focus { border: round $primary; } }
        #table { height: 1fr; }
        #catalog { display: none; }
        #catalog.-shown { display: block; }
        &:ansi #editor, &:ansi #editor:focus { border: round ansi_default; }
    }
    """

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._request = 0
        self._began: datetime | None = None
        self._cancelled = threading.Event()
        self._outcome = Content()
        self._heading = ""

    def compose(self) -> ComposeResult:
        """Title, editor, rows, tables."""
        state = self.bench.settings.state
        yield Line(id="title", classes="title")
        with Horizontal(id="panes"):
            with Vertical():
                editor = SqlEditor(state.query, placeholder=_EXAMPLE, id="editor")
                editor.border_title = "SQL"
                yield editor
                yield VirtualTable(id="table", classes="box", placeholder="^r runs the query, f3 opens a saved one")
            yield Catalog(self.bench.store.sql_tables(), id="catalog", classes="box")
        yield Problem()
        yield Line(id="status")
        yield KeyBar("query")

    def on_mount(self) -> None:
        """Start where the last session ended."""
        self._timer = self.set_interval(_TICK_S, self._show_title, pause=True)
        self.query_one(Catalog).set_class(self.app.size.width >= _WIDE, "-shown")
        self._editor.move_cursor(self._editor.document.end)
        self._editor.focus()
        self._show_title()

    def on_unmount(self) -> None:
        """Nobody waits for rows any more."""
        self._cancelled.set()

    @property
    def is_asking(self) -> bool:
        """Whether rows are waited for."""
        return self._began is not None

    def is_available(self, action: str) -> bool:
        """Rows can be copied and looked at once there are any."""
        if action == "cancel":
            return self.is_asking
        if action in {"copy_rows", "copy_row", "view_row"}:
            return bool(self._rows.num_rows)
        return True

    # Running

    def action_run(self) -> None:
        """Run what is in the editor, or the example that it shows; a query that still runs gives way."""
        if not self._editor.text.strip():
            self._editor.put(_EXAMPLE)
        sql = self._editor.text.strip()
        self._cancelled.set()
        self._cancelled = threading.Event()
        self._request += 1
        self._began = self.bench.clock()
        state = self.bench.settings.state
        self.bench.settings.update(query=self._editor.text, queries=remembered(state.queries, sql))
        self.show_problem("")
        self._timer.resume()
        self._show_title()
        self._query(self._request, self._editor.text, self._cancelled, self._began)

    @work(thread=True, exclusive=True, group="query", exit_on_error=False)
    def _query(self, request: int, sql: str, cancelled: threading.Event, began: datetime) -> None:
        bench = self.bench
        try:
            result = bench.store.query(sql, bench.runner.runs(), LIMIT, TIMEOUT_S, cancelled)
        except UserError as error:
            self.post_message(Failed(request, error))
        else:
            elapsed = (bench.clock() - began).total_seconds()
            self.post_message(Answered(request, result, elapsed))

    def action_cancel(self) -> None:
        """Give up the query that runs."""
        self._cancelled.set()

    def worker_crashed(self, group: str) -> None:
        """No rows will come."""
        if group == "query":
            self._end()

    def _end(self) -> None:
        self._began = None
        self._timer.pause()
        self._show_title()
        self.query_one(KeyBar).renew()

    @on(Answered)
    def _show_rows(self, message: Answered) -> None:
        if message.request != self._request:
            return
        result, table = message.result, self._table
        self._rows = ResultRows(result, message.request)
        is_first_a_name = bool(result.columns) and result.columns[0] == "name"
        table.set_columns(self._rows.columns(), frozen=1 if is_first_a_name else 0)
        table.placeholder = "no rows"
        table.set_sort()
        table.set_rows(self._rows)
        table.move_cursor(0)
        count = f"{'first ' if result.truncated else ''}{len(result.rows):,} row{'' if len(result.rows) == 1 else 's'}"
        self._heading = f"{count}, {len(result.columns)} columns"
        table.border_title = self._heading
        self._outcome = Content.assemble(
            (f"✓ {count}", "$text-warning" if result.truncated else "$text-success"),
            (f" in {message.elapsed_s:.2f} s", "dim"),
            (", there are more" if result.truncated else "", "dim"),
        )
        self.show_status("; ".join(f"left out: {note}" for note in result.notes))
        self._end()

    @on(Failed)
    def _show_failure(self, message: Failed) -> None:
        if message.request != self._request:
            return
        error, was_cancelled = message.error, self._cancelled.is_set()
        self._outcome = Content.styled(*(_CANCELLED if was_cancelled else _FAILED))
        self._table.border_title = f"the query before: {self._heading}" if self._heading else ""
        place = ""
        if isinstance(error, QueryError) and error.position is not None:
            line, column = place_in(self._editor.text, error.position)
            place = f"line {line}, column {column}: "
            self._editor.mark(error.position)
        self.show_problem("" if was_cancelled else f"✗ {place}{error}")
        self._end()

    # Showing

    def _show_title(self) -> None:
        state = self._outcome
        if self._began is not None:
            elapsed = (self.bench.clock() - self._began).total_seconds()
            state = Content.assemble((f"◐ running {elapsed:.1f} s", "$text-accent"), ("  esc cancels", "dim"))
        title = Content.assemble(("Query", "bold"), f"  {neutral(self.bench.store.root.name)}  ")
        self.query_one("#title", Line).text = title + state

    def show_problem(self, text: str) -> None:
        """One line in red below."""
        self.query_one(Problem).tell(text)

    def show_status(self, text: str) -> None:
        """One line below."""
        self.query_one("#status", Line).text = Content.styled(neutral(text), "dim")

    def action_back(self) -> None:
        """One layer out: the running query, the side list or the rows, the screen."""
        if self.is_asking:
            self._cancelled.set()
        elif self.query_one(Catalog).has_focus:
            self._editor.focus()
        else:
            self.bench.settings.update(query=self._editor.text)
            self.dismiss()
