"""Lines that are there only while they have something to say."""

from textual.content import Content
from textual.widgets import Static

from tui.widgets.text import neutral


class Note(Static):
    """Something worth knowing about what is shown; text of a repository is made safe."""

    DEFAULT_CSS = "Note { display: none; height: auto; max-height: 2; padding: 0 1; color: $text-muted; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._told = ""

    def tell(self, text: str) -> None:
        """Say this; nothing hides the line."""
        if text != self._told:
            self._told = text
            self.display = bool(text)
            self.update(Content(neutral(text, multiline=True)))


class Problem(Note):
    """What went wrong; its screen has the class `-problem` meanwhile, and may make room."""

    DEFAULT_CSS = "Problem { max-height: 4; color: $text-error; }"

    def tell(self, text: str) -> None:
        """Say this; nothing hides the line."""
        super().tell(text)
        self.screen.set_class(bool(text), "-problem")
