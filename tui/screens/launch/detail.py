"""What a key means, and the line in which its value is typed."""

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui.widgets.line import Line


class Editor(Input):
    """One value being typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "Give up", show=False),
        Binding("tab,shift+tab", "submit", "Accept", show=False),
    ]

    class GivenUp(Message):
        """Escape was pressed."""

    class Left(Message):
        """The focus went elsewhere within the app."""

    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False, id="editor")
        self.cursor_blink = False

    def action_give_up(self) -> None:
        """Leave the value as it was."""
        self.post_message(self.GivenUp())

    @on(events.Blur)
    def _leave(self) -> None:
        if self.app.app_focus:  # else the terminal itself lost the focus, and gives it back
            self.post_message(self.Left())


class Detail(Vertical):
    """Help of the highlighted key; while it is edited also its text."""

    DEFAULT_CSS = """
    Detail { height: 5; padding: 0 1; }
    Detail Horizontal { height: 1; display: none; }
    Detail.-editing Horizontal { display: block; }
    Detail.-editing { height: 6; }
    Detail #label { width: auto; max-width: 50%; padding: 0 1 0 0; color: $text-accent; }
    Detail Editor { width: 1fr; }
    Detail #words { height: 3; width: 1fr; }
    """

    class Typed(Message):
        """The text has changed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Entered(Message):
        """The text is meant."""

    class Ended(Message):
        """Editing is over without a result."""

    def compose(self) -> ComposeResult:
        """The editor above the words."""
        with Horizontal():
            yield Line(id="label")
            yield Editor()
        yield Static(id="words")

    @property
    def is_editing(self) -> bool:
        """Whether a value is being typed."""
        return self.has_class("-editing")

    @property
    def text(self) -> str:
        """What is typed."""
        return self.query_one(Editor).value

    def show(self, title: str, words: Content) -> None:
        """Tell about a key."""
        self.border_title = Content(title).markup
        self.query_one("#words", Static).update(words)

    def edit(self, label: str, text: str) -> None:
        """Let a value be typed."""
        self.query_one("#label", Line).text = f"{label} ="
        editor = self.query_one(Editor)
        with editor.prevent(Input.Changed):
            editor.value = text
        editor.cursor_position = len(text)
        self.add_class("-editing")
        editor.focus()

    def resume(self) -> None:
        """The text cannot be left as it is."""
        self.query_one(Editor).focus()

    def end(self) -> None:
        """No more typing."""
        self.remove_class("-editing")

    @on(Input.Changed)
    def _changed(self, message: Input.Changed) -> None:
        message.stop()
        if self.is_editing:
            self.post_message(self.Typed(message.value))

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.post_message(self.Entered())

    @on(Editor.Left)
    def _left(self, message: Editor.Left) -> None:
        message.stop()
        if self.is_editing and not self.query_one(Editor).has_focus:
            self.post_message(self.Entered())

    @on(Editor.GivenUp)
    def _given_up(self, message: Editor.GivenUp) -> None:
        message.stop()
        self.post_message(self.Ended())
