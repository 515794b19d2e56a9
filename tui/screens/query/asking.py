"""The upper part of the Query screen: the editor, the tables at the side, saved queries, history."""

from collections.abc import Mapping, Sequence

from textual import on, work

from tui.core.errors import UserError
from tui.core.queries import SavedQuery
from tui.screens.base import Bench, WorkerScreen
from tui.screens.pick import Pick
from tui.screens.query.catalog import Catalog
from tui.screens.query.history import one_line
from tui.screens.query.messages import Offered
from tui.screens.query.saved import choices
from tui.widgets.sql_editor import SqlEditor
from tui.widgets.table import VirtualTable


class AskingScreen(WorkerScreen[None]):
    """Writes a query; what comes of it is up to the screen."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._offer_request = 0

    def action_run(self) -> None:
        """Run what is in the editor."""
        raise NotImplementedError

    def show_status(self, text: str) -> None:
        """Tell something about what the cursor is on."""
        raise NotImplementedError

    def show_problem(self, text: str) -> None:
        """Tell what went wrong; nothing takes it back."""
        raise NotImplementedError

    @property
    def _editor(self) -> SqlEditor:
        return self.query_one(SqlEditor)

    @property
    def _table(self) -> VirtualTable:
        return self.query_one("#table", VirtualTable)

    # Tables at the side

    def action_toggle_tables(self) -> None:
        """Show the tables and go there; hide them from there."""
        catalog = self.query_one(Catalog)
        if catalog.has_class("-shown") and catalog.has_focus:
            catalog.remove_class("-shown")
            self._editor.focus()
        else:
            catalog.add_class("-shown")
            catalog.focus()

    @on(Catalog.Chosen)
    def _insert(self, message: Catalog.Chosen) -> None:
        self._editor.insert(message.text)
        self._editor.focus()

    @on(Catalog.Described)
    def _describe(self, message: Catalog.Described) -> None:
        if self.query_one(Catalog).has_focus:
            self.show_status(message.text)

    def action_switch_focus(self) -> None:
        """Between the editor, the rows and the tables."""
        catalog = self.query_one(Catalog)
        order = [self._editor, self._table, *([catalog] if catalog.has_class("-shown") else [])]
        place = next((index for index, widget in enumerate(order) if widget.has_focus), -1)
        order[(place + 1) % len(order)].focus()

    # Saved queries and history

    def action_open_saved(self) -> None:
        """Choose one of the saved queries."""
        saved = self.bench.store.saved_queries()
        names = [(one.name, one.description) for one in saved]
        self.app.push_screen(
            Pick("Saved queries", names), lambda index: None if index is None else self._open(saved[index])
        )

    def _open(self, query: SavedQuery) -> None:
        if query.parameters:
            self._offer_request += 1
            self._offer(self._offer_request, query)
        else:
            self._editor.put(query.sql)
            self.action_run()

    @work(thread=True, exclusive=True, group="choices", exit_on_error=False)
    def _offer(self, request: int, query: SavedQuery) -> None:
        try:
            found = choices(self.bench.store, self.bench.runner, query)
        except UserError as error:
            self.post_message(Offered(request, query, error))
        else:
            self.post_message(Offered(request, query, found))

    @on(Offered)
    def _offered(self, message: Offered) -> None:
        if message.request != self._offer_request or self.app.screen is not self:
            return
        if isinstance(message.choices, UserError):
            self.show_problem(f"✗ {message.choices}")
        else:
            self._ask(message.query, message.choices, {})

    def _ask(self, query: SavedQuery, offered: Mapping[str, Sequence[str]], values: dict[str, str]) -> None:
        """Ask for one value after the other, then run the query with them."""
        name = next((one for one in query.parameters if one not in values), None)
        if name is None:
            self._editor.put(query.with_values(values))
            self.action_run()
            return
        known = offered[name]
        if not known:
            self.notify(f"There is no {name} to choose from")
            return

        def chosen(index: int | None) -> None:
            if index is not None:
                self._ask(query, offered, {**values, name: known[index]})

        self.app.push_screen(Pick(f"{query.name}: {name}", [(one, "") for one in known], self._usual(known)), chosen)

    def _usual(self, known: Sequence[str]) -> int:
        """The main metric, where it is among the values."""
        main = self.bench.settings.state.main_metric
        return known.index(main) if main is not None and main in known else 0

    def action_open_history(self) -> None:
        """Choose one of the queries that were run, the last one first."""
        asked = self.bench.settings.state.queries[::-1]
        if not asked:
            self.notify("Nothing was run yet")
            return
        self.app.push_screen(
            Pick("History", [(one_line(sql), "") for sql in asked]),
            lambda index: None if index is None else self._editor.put(asked[index]),
        )
