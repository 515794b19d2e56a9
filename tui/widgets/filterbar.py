"""A line for a filter: previews while it is typed, gives the old text back on escape."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from tui.widgets.line import Line


class FilterInput(Input):
    """The text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "Give up", show=False),
        Binding("down,enter", "submit", "Keep", show=False),
    ]

    class GivenUp(Message):
        """Escape was pressed."""

    def action_give_up(self) -> None:
        """Ask for the text as it was."""
        self.post_message(self.GivenUp())


class FilterBar(Horizontal):
    """Hidden until it is opened; enter keeps the text, escape restores what was there before."""

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; }
    FilterBar.-open { display: block; }
    FilterBar #prompt { width: auto; padding: 0 1; color: $text-accent; }
    FilterBar FilterInput { width: 1fr; min-width: 24; }
    FilterBar #counts { width: auto; padding: 0 1; color: $text-muted; }
    """

    class Changed(Message):
        """The text is another one."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

        def can_replace(self, message: Message) -> bool:
            """Of letters typed faster than they are looked for only the last one counts."""
            return isinstance(message, FilterBar.Changed)

    class Closed(Message):
        """Typing is over."""

    def __init__(self, prompt: str, text: str = "") -> None:
        super().__init__()
        self._prompt, self._text, self._before = prompt, text, text

    def compose(self) -> ComposeResult:
        """Prompt, text, counts."""
        yield Line(f"{self._prompt} /", id="prompt")
        text = FilterInput(self._text, compact=True, select_on_focus=False)
        text.cursor_blink = False
        yield text
        yield Line(id="counts")

    @property
    def value(self) -> str:
        """The filter."""
        return self._text

    @property
    def is_open(self) -> bool:
        """Whether it is being typed."""
        return self.has_class("-open")

    def open(self) -> None:
        """Let it be typed; the old text is replaced by the first letter, → goes on behind it."""
        self._before = self._text
        self.add_class("-open")
        text = self.query_one(FilterInput)
        text.action_select_all()
        text.focus()

    def clear(self) -> None:
        """No filter, from now on."""
        self._replace("")

    def show_counts(self, counts: str) -> None:
        """Tell how much matches, or what is wrong."""
        self.query_one("#counts", Line).text = counts

    def _replace(self, text: str) -> None:
        is_new, self._text = text != self._text, text
        self.query_one(FilterInput).value = text
        if is_new:
            self.post_message(self.Changed(text))

    def _close(self) -> None:
        self.remove_class("-open")
        self.post_message(self.Closed())

    @on(Input.Changed)
    def _changed(self, message: Input.Changed) -> None:
        message.stop()
        if message.value != self._text:
            self._text = message.value
            self.post_message(self.Changed(message.value))

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self._close()

    @on(FilterInput.GivenUp)
    def _given_up(self, message: FilterInput.GivenUp) -> None:
        message.stop()
        self._replace(self._before)
        self._close()
