"""The first line of a screen: where the terminal is too narrow for all of it, what matters least is left out first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual.content import Content

from tui.widgets.line import Line

_GAP = Content("  ")


@dataclass(frozen=True, slots=True)
class Part:
    """Some words of a title."""

    full: Content | str
    short: Content | str = ""
    """What stands for them when there is no room."""
    rank: int = 0
    """The highest is shortened first; 0 never."""


class Title(Line):
    """Parts from left to right."""

    def __init__(self, text: str) -> None:
        super().__init__(text, id="title", classes="title")
        self._parts: Sequence[Part] = (Part(text),)

    def tell(self, *parts: Part) -> None:
        """Show these."""
        self._parts = parts
        self._fit()

    def on_resize(self) -> None:
        """There is more room, or less."""
        self._fit()

    def _fit(self) -> None:
        self.text = fitted(self._parts, self.content_size.width)


def fitted(parts: Sequence[Part], width: int) -> Content:
    """All parts in `width` cells, or as few of them shortened as need be.

    >>> fitted([Part("Compare 3"), Part("rows are hidden", "hidden", rank=1)], 20).plain
    'Compare 3  hidden'
    """
    shown = {place: part.full for place, part in enumerate(parts)}
    line = _joined(shown.values())
    for place in sorted((place for place in shown if parts[place].rank), key=lambda place: -parts[place].rank):
        if line.cell_length <= width:
            break
        shown[place] = parts[place].short
        line = _joined(shown.values())
    return line


def _joined(parts: Iterable[Content | str]) -> Content:
    contents = (part if isinstance(part, Content) else Content(part) for part in parts)
    return _GAP.join([content for content in contents if content.plain])
