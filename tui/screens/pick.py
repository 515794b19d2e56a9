"""A dialog to pick one of many: what is typed narrows the list."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.widgets.text import neutral

Choice = tuple[str, str]
"""A name, and more about it."""


class Pick(ModalScreen[int | None]):
    """Dismissed with the index of the choice; None if there was none."""

    DEFAULT_CSS = """
    Pick {
        align: center middle;
        & > Vertical {
            width: 80%; max-width: 100; height: 80%; border: round $primary; border-title-color: $foreground;
            padding: 0 1; background: $surface;
        }
        Input { width: 1fr; margin-bottom: 1; }
        OptionList, OptionList:focus { height: 1fr; border: none; padding: 0; scrollbar-size-vertical: 1; }
        &:ansi > Vertical { background: ansi_default; border: round ansi_default; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel"),
        Binding("down", "step('cursor_down')", "Down", show=False),
        Binding("up", "step('cursor_up')", "Up", show=False),
        Binding("pagedown", "step('page_down')", "Page down", show=False),
        Binding("pageup", "step('page_up')", "Page up", show=False),
    ]

    def __init__(self, title: str, choices: Sequence[Choice], current: int = 0) -> None:
        super().__init__()
        self._title, self._current = title, current
        self._choices = [(neutral(name), neutral(detail)) for name, detail in choices]
        self._shown: list[int] = []

    def compose(self) -> ComposeResult:
        """A box with the text and the list."""
        with Vertical() as box:
            box.border_title = Content(neutral(self._title)).markup
            box.border_subtitle = "enter choose  esc cancel"
            text = Input(placeholder="type to find", compact=True)
            text.cursor_blink = False
            yield text
            options = OptionList()
            options.can_focus = False
            yield options

    def on_mount(self) -> None:
        """Start at the present choice."""
        self._show("")
        if self._current in self._shown:
            self._options.highlighted = self._shown.index(self._current)
        self.query_one(Input).focus()

    @property
    def _options(self) -> OptionList:
        return self.query_one(OptionList)

    def _show(self, text: str) -> None:
        words = text.casefold().split()
        self._shown = [
            index
            for index, (name, detail) in enumerate(self._choices)
            if all(word in f"{name} {detail}".casefold() for word in words)
        ]
        self._options.set_options([Option(_line(*self._choices[index])) for index in self._shown])
        self._options.highlighted = 0 if self._shown else None

    @on(Input.Changed)
    def _narrow(self, message: Input.Changed) -> None:
        message.stop()
        self._show(message.value)

    @on(Input.Submitted)
    def _take(self, message: Input.Submitted) -> None:
        message.stop()
        place = self._options.highlighted
        if place is not None:
            self.dismiss(self._shown[place])

    @on(OptionList.OptionSelected)
    def _clicked(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[message.option_index])

    def action_step(self, action: str) -> None:
        """Move in the list while the text has the focus."""
        getattr(self._options, f"action_{action}")()


def _line(name: str, detail: str) -> Content:
    return Content.assemble(name, (f"\n  {detail}", "dim")) if detail else Content(name)
