"""One line of text that is sent to the terminal only when it changes."""

from textual.content import Content
from textual.widget import Widget


class Line(Widget):
    """Shows one line; too long a line is cut with an ellipsis."""

    DEFAULT_CSS = """
    Line { height: 1; width: 1fr; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, text: Content | str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._content = _content(text)

    @property
    def text(self) -> Content:
        """What is shown."""
        return self._content

    @text.setter
    def text(self, text: Content | str) -> None:
        content = _content(text)
        if content.plain != self._content.plain or content.spans != self._content.spans:
            resized = self.styles.auto_dimensions and content.cell_length != self._content.cell_length
            self._content = content
            self.refresh(layout=resized)

    def render(self) -> Content:
        """The line."""
        return self._content


def _content(text: Content | str) -> Content:
    return Content(text) if isinstance(text, str) else text
