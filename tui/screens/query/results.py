"""The lower part of the Query screen: the rows, what they lead to, and copies of them."""

from typing import Any

from textual import on, work

from tui.core.errors import UserError
from tui.core.ports import QueryResult
from tui.core.table_text import as_csv, as_json, as_markdown, cell_text
from tui.screens.base import Bench
from tui.screens.dialogs import Choose, TextDialog
from tui.screens.query.asking import AskingScreen
from tui.screens.query.messages import Found
from tui.screens.query.rows import ResultRows
from tui.screens.run.screen import RunScreen
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral

_FORMS = {"CSV": as_csv, "Markdown": as_markdown, "JSON": as_json}


class ResultScreen(AskingScreen):
    """Reads rows; where they come from is up to the screen."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._rows = ResultRows(QueryResult((), (), False), 0)
        self._find_request = 0

    @on(VirtualTable.Activated)
    def _open_experiment(self, message: VirtualTable.Activated) -> None:
        name = self._rows.experiment(int(message.key))
        if name is None:
            self.action_view_row()
        else:
            self._find_request += 1
            self._find(self._find_request, name)

    @work(thread=True, exclusive=True, group="find", exit_on_error=False)
    def _find(self, request: int, name: str) -> None:
        try:
            found = self.bench.store.resolve(name, self.bench.runner.runs())
        except UserError as error:
            self.post_message(Found(request, error))
        else:
            self.post_message(Found(request, found))

    @on(Found)
    def _found(self, message: Found) -> None:
        if message.request != self._find_request or self.app.screen is not self:
            return
        if isinstance(message.experiment, UserError):
            self.show_problem(f"✗ {message.experiment}")
        else:
            self.app.push_screen(RunScreen(self.bench, message.experiment))

    def _chosen_row(self) -> tuple[Any, ...]:
        return self._rows.result.rows[int(self._table.cursor_key or 0)]

    @on(VirtualTable.HeaderPressed)
    def _sort(self, message: VirtualTable.HeaderPressed) -> None:
        """A click on a title sorts the rows that are here."""
        self._rows.turn_sort(message.key)
        self._table.set_sort(*([self._rows.sort] if self._rows.sort is not None else []))
        self._table.set_rows(self._rows)

    def action_view_row(self) -> None:
        """Every value of the row in full."""
        row = self._chosen_row()
        pairs = zip(self._rows.result.columns, row, strict=True)
        lines = [f"{column}: {'NULL' if value is None else cell_text(value)}" for column, value in pairs]
        self.app.push_screen(TextDialog("Row", neutral("\n".join(lines), multiline=True)))

    def action_copy_row(self) -> None:
        """Copy the row, its values separated by tabs."""
        row = self._chosen_row()
        self.app.copy_to_clipboard("\t".join(map(cell_text, row)))
        self.notify("Copied the row")

    def action_copy_rows(self) -> None:
        """Copy all rows in a form of choice."""
        forms = list(_FORMS)
        self.app.push_screen(Choose("Copy as", forms, None), lambda index: self._copy(forms, index))

    def _copy(self, forms: list[str], index: int | None) -> None:
        if index is not None:
            result = self._rows.result
            text = _FORMS[forms[index]](result.columns, result.rows)
            self.app.copy_to_clipboard(text)
            self.notify(f"Copied {len(result.rows):,} rows as {forms[index]}, {len(text.encode()) / 1000:,.1f} kB")
