"""Small dialogs over a screen: a text to read, a question, a choice."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

_BOX = """
    align: center middle;
    & > Vertical {
        width: auto; max-width: 95%; height: auto; max-height: 95%;
        border: round $primary; border-title-color: $foreground; padding: 0 1; background: $surface;
    }
    &:ansi > Vertical { background: ansi_default; border: round ansi_default; }
"""


class TextDialog(ModalScreen[None]):
    """Shows a text; it can be copied."""

    DEFAULT_CSS = (
        """TextDialog { """
        + _BOX
        + """
        VerticalScroll { height: auto; max-height: 100%; scrollbar-size: 1 1; }
        Static { width: 1fr; }
        &.-error > Vertical { border: round $error; }
    }"""
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,question_mark,at", "dismiss", "Close"),
        Binding("y", "copy", "Copy"),
        Binding("j,down", "scroll(1)", "Down", show=False),
        Binding("k,up", "scroll(-1)", "Up", show=False),
        Binding("pagedown,space,ctrl+d", "scroll(10)", "Page down", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", "Page up", show=False),
    ]

    def __init__(self, title: str, text: Content | str, *, is_error: bool = False, at_end: bool = False) -> None:
        super().__init__(classes="-error" if is_error else None)
        self._title, self._at_end = title, at_end
        self._text = text if isinstance(text, Content) else Content(text)

    def compose(self) -> ComposeResult:
        """A box with a title, the text and how to leave."""
        with Vertical() as box:
            box.border_title = Content(self._title).markup
            box.border_subtitle = "esc close  y copy  ↑↓ scroll"
            with VerticalScroll(can_focus=False):
                yield Static(self._text)

    def on_mount(self) -> None:
        """A log is read from its end."""
        widest = max(line.cell_length for line in self._text.split(allow_blank=True))
        self.query_one(Vertical).styles.width = max(40, widest + 6)
        if self._at_end:
            self.query_one(VerticalScroll).scroll_end(animate=False)

    def action_scroll(self, lines: int) -> None:
        """Move the text."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_copy(self) -> None:
        """Copy the whole text."""
        self.app.copy_to_clipboard(self._text.plain)
        self.notify("Copied")


class Confirm(ModalScreen[bool]):
    """Asks before something is done; cancel is the default."""

    DEFAULT_CSS = (
        """Confirm { """
        + _BOX
        + """
        Static { width: auto; max-width: 100%; }
        Horizontal { height: 1; width: auto; margin-top: 1; }
        Button { margin-right: 2; }
    }"""
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n,q", "answer(False)", "Cancel"),
        Binding("y", "answer(True)", "Yes"),
        Binding("left,right,h,l,tab", "app.focus_next", "Other button", show=False),
    ]

    def __init__(self, title: str, effect: str, action: str) -> None:
        super().__init__()
        self._title, self._effect, self._action = title, effect, action

    def compose(self) -> ComposeResult:
        """A box with the exact effect and two buttons."""
        with Vertical() as box:
            box.border_title = Content(self._title).markup
            yield Static(Content(self._effect))
            with Horizontal():
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(f"{self._action} (y)", id="go", variant="error", compact=True)

    def on_mount(self) -> None:
        """Enter does nothing bad."""
        self.query_one("#cancel", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        self.dismiss(message.button.id == "go")

    def action_answer(self, answer: bool) -> None:
        """Answer by key."""
        self.dismiss(answer)


class Choose(ModalScreen[int | None]):
    """Choose one of several values."""

    DEFAULT_CSS = (
        """Choose { """
        + _BOX
        + """
        OptionList, OptionList:focus {
            width: auto; min-width: 28; max-width: 100%; height: auto; max-height: 18; border: none; padding: 0;
            scrollbar-size-vertical: 1;
        }
    }"""
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Cancel"),
        Binding("j", "step('down')", "Down", show=False),
        Binding("k", "step('up')", "Up", show=False),
    ]

    def __init__(self, title: str, choices: Sequence[str], current: int | None) -> None:
        super().__init__()
        self._title, self._choices, self._current = title, choices, current

    def compose(self) -> ComposeResult:
        """A box with the list."""
        with Vertical() as box:
            box.border_title = Content(self._title).markup
            box.border_subtitle = "enter choose  esc cancel"
            yield OptionList(*(Option(Content(choice)) for choice in self._choices))

    def on_mount(self) -> None:
        """Start at the present value."""
        options = self.query_one(OptionList)
        options.highlighted = self._current or 0
        options.focus()

    def action_step(self, way: str) -> None:
        """Move as with the arrows."""
        options = self.query_one(OptionList)
        options.action_cursor_down() if way == "down" else options.action_cursor_up()

    @on(OptionList.OptionSelected)
    def _chosen(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(message.option_index)
