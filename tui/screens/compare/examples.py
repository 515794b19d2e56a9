"""Two experiments example by example: what was fixed, what broke."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content

from pipeline.contract.metrics import direction
from tui.commands import Scope, bindings
from tui.core.errors import UsageError, UserError
from tui.core.evidence import read_evidence
from tui.core.examples import Evidence, ExampleChange, ExampleComparison
from tui.core.experiments import Experiment
from tui.screens.base import Bench, WorkerScreen
from tui.screens.compare.example_rows import Kind, change_of, columns, rows_of, summary, told
from tui.screens.dialogs import Choose, TextDialog
from tui.screens.note import Note
from tui.screens.reading import Read, ReadFailed
from tui.screens.title import Title
from tui.widgets.keybar import KeyBar
from tui.widgets.line import Line
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral

_KINDS: tuple[Kind | None, ...] = (None, "fixed", "broke")
_PREVIEW_LINES = 4


class ExamplesScreen(WorkerScreen[None]):
    """A baseline, candidates one after the other, and the examples whose score differs."""

    scope: ClassVar[Scope] = "examples"
    BINDINGS: ClassVar[list[BindingType]] = bindings("examples")
    DEFAULT_CSS = """
    ExamplesScreen #changes { height: 1fr; }
    ExamplesScreen #preview { height: 6; }
    ExamplesScreen #preview.-empty { display: none; }
    ExamplesScreen #note { color: $text-warning; }
    """

    def __init__(
        self, bench: Bench, baseline: Experiment, candidates: Sequence[Experiment], key: str | None = None
    ) -> None:
        super().__init__(bench)
        self._experiment, self._candidates, self._key = baseline, tuple(candidates), key
        self._place = 0
        self._kind: Kind | None = None
        self._category: str | None = None
        self._evidence: Evidence | None = None
        self._request = 0

    def compose(self) -> ComposeResult:
        """Title, list, preview."""
        yield Title("Examples")
        yield VirtualTable(id="changes", classes="box", placeholder="reading the results…")
        with Vertical(id="preview", classes="box"):
            for index in range(_PREVIEW_LINES):
                yield Line(id=f"preview-{index}")
        yield Note(id="note")
        yield KeyBar("examples")

    def on_mount(self) -> None:
        """Read at once."""
        self._table.focus()
        self.action_reload()

    @property
    def _table(self) -> VirtualTable:
        return self.query_one("#changes", VirtualTable)

    # Reading

    def action_reload(self) -> None:
        """Read again, whatever has been asked before."""
        self._request += 1
        self._load(self._request, self._key)

    @work(thread=True, exclusive=True, group="examples", exit_on_error=False)
    def _load(self, request: int, key: str | None) -> None:
        try:
            evidence = read_evidence(self.bench.store, self._candidates, self._experiment, key)
        except UserError as error:
            self.post_message(ReadFailed(request, error))
        else:
            self.post_message(Read(request, evidence))

    @on(Read)
    def _take(self, message: Read) -> None:
        if message.request == self._request:
            self._evidence = message.value
            self._show()

    @on(ReadFailed)
    def _show_failure(self, message: ReadFailed) -> None:
        if message.request != self._request:
            return
        if isinstance(message.error, UsageError) and self._key is not None:
            self._key = None  # the row that this screen was opened from has no score of its own
            self.action_reload()
        else:
            self._show_note(str(message.error))

    def worker_crashed(self, group: str) -> None:
        """There is nothing to wait for."""
        if group == "examples":
            self._table.placeholder = "the results could not be read; r tries again"

    # Showing

    @property
    def _comparison(self) -> ExampleComparison | None:
        return None if self._evidence is None else self._evidence.paired[self._place]

    @property
    def _shown(self) -> list[ExampleChange]:
        changes = self._comparison.changes if self._comparison is not None else ()
        return [one for one in changes if self._kind in {None, one.change} and self._category in {None, one.category}]

    def _show(self) -> None:
        candidate, comparison = self._candidates[self._place], self._comparison
        place = (self._place + 1, len(self._candidates))
        self.query_one(Title).tell(*summary(self._experiment, candidate, comparison, place))
        table, shown = self._table, self._shown
        wanted = columns(self._experiment, candidate, self.app.size.width)
        if list(table.columns) != wanted:
            table.set_columns(wanted)
        table.placeholder = self._placeholder(comparison)
        table.border_title = Content(self._heading(len(shown))).markup
        table.set_rows(rows_of(shown))
        self._show_note("; ".join(self._evidence.notes) if self._evidence is not None else "")
        self._show_preview()
        self.query_one(KeyBar).renew()

    def _heading(self, num_shown: int) -> str:
        kind = {"fixed": "fixed", "broke": "that broke", None: "fixed or broken"}[self._kind]
        category = f" in {neutral(self._category)}" if self._category is not None else ""
        comparison = self._comparison
        score = comparison.score(comparison.key) if comparison is not None and comparison.key is not None else None
        return f"{num_shown} {kind}{category}" + (f"  {change_of(score)}" if score is not None else "")

    def _placeholder(self, comparison: ExampleComparison | None) -> str:
        if comparison is None or not comparison.num_shared:
            return "no per-example results of both in the local cache"
        if comparison.key is None:
            return "they share no score of which one way is better"
        return f"no example differs in {neutral(comparison.key)}" if not comparison.changes else "none of these"

    def _show_note(self, text: str) -> None:
        self.query_one("#note", Note).tell(text)

    @on(VirtualTable.Highlighted)
    def _show_preview(self) -> None:
        change = self._chosen()
        text = told(change, self._experiment, self._candidates[self._place]) if change is not None else None
        lines = text.split() if text is not None else []
        self.query_one("#preview").set_class(not lines, "-empty")
        for index in range(_PREVIEW_LINES):
            self.query_one(f"#preview-{index}", Line).text = lines[index] if index < len(lines) else ""

    def _chosen(self) -> ExampleChange | None:
        return next((one for one in self._shown if one.id == self._table.cursor_key), None)

    # Actions

    def is_available(self, action: str) -> bool:
        """What needs an example, or more experiments."""
        if action in {"open", "copy_example"}:
            return self._chosen() is not None
        if action in {"choose_category", "next_kind"}:
            return self._comparison is not None and bool(self._comparison.changes)
        if action in {"next_candidate", "previous_candidate"}:
            return len(self._candidates) > 1
        return True

    @on(VirtualTable.Activated)
    def action_open(self) -> None:
        """The whole example."""
        change = self._chosen()
        if change is not None:
            text = told(change, self._experiment, self._candidates[self._place], in_full=True)
            title = f"{change.change}  {neutral(change.category)}  {neutral(change.id)}"
            self.app.push_screen(TextDialog(title, text))

    def action_choose_score(self) -> None:
        """Choose from those that both have."""
        comparison = self._comparison
        keys = [one.key for one in comparison.scores if direction(one.key) != "none"] if comparison is not None else []
        if comparison is None or not keys:
            self.notify("No score of both to choose from")
            return

        def take(index: int | None) -> None:
            if index is not None:
                self._key = keys[index]
                self.action_reload()

        current = keys.index(comparison.key) if comparison.key in keys else None
        self.app.push_screen(Choose("Judge examples by", [neutral(key) for key in keys], current), take)

    def action_choose_category(self) -> None:
        """Choose from those that have a change."""
        changes = self._comparison.changes if self._comparison is not None else ()
        names = sorted({one.category for one in changes})
        if not names:
            self.notify("No example differs")
            return
        counts = [sum(one.category == name for one in changes) for name in names]
        labels = [f"{neutral(name) or '(none)'}  {count}" for name, count in zip(names, counts, strict=True)]

        def take(index: int | None) -> None:
            if index is not None:
                self._category = names[index - 1] if index else None
                self._show()

        current = names.index(self._category) + 1 if self._category in names else 0
        self.app.push_screen(Choose("Category", [f"all  {len(changes)}", *labels], current), take)

    def action_next_kind(self) -> None:
        """Both, fixed, broke."""
        self._kind = _KINDS[(_KINDS.index(self._kind) + 1) % len(_KINDS)]
        self._show()

    def action_next_candidate(self) -> None:
        """Another experiment."""
        self._step(1)

    def action_previous_candidate(self) -> None:
        """Another experiment."""
        self._step(-1)

    def _step(self, by: int) -> None:
        self._place = (self._place + by) % len(self._candidates)
        self._show()

    def action_copy_example(self) -> None:
        """Copy all of it."""
        change = self._chosen()
        if change is not None:
            self.app.copy_to_clipboard(told(change, self._experiment, self._candidates[self._place], plain=True).plain)
            self.notify("Copied the example")

    def action_back(self) -> None:
        """Leave the screen."""
        self.dismiss()
