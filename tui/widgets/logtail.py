"""The tail of a log: follows its end unless it is scrolled up."""

import re
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.widgets.text import fit, neutral

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_LONGEST_LINE = 2000
_MAX_LINES = 50_000
_SIDE_STEP = 16


class LogTail(ScrollView, can_focus=True):
    """Lines of foreign output, made harmless."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "LogTail { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size: 1 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("pagedown,ctrl+d", "page_down", "Page down", show=False),
        Binding("pageup,ctrl+u", "page_up", "Page up", show=False),
        Binding("home,g", "scroll_home", "First line", show=False),
        Binding("end,G", "scroll_end", "Last line: follow again", show=False),
        Binding("right", "shift(1)", "End of long lines", show=False),
        Binding("left", "shift(-1)", "Beginning of long lines", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[str] = []
        self._rest = ""
        self._left = 0
        self._follows = True

    @property
    def lines(self) -> tuple[str, ...]:
        """What was read so far, without an unfinished line."""
        return tuple(self._lines)

    def append(self, text: str) -> None:
        """Add text as it arrives; an unfinished line waits for its end."""
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:
            self._lines += [clean_line(line) for line in lines]
            del self._lines[:-_MAX_LINES]
            self.virtual_size = Size(0, len(self._lines))
            self.refresh()
            self._follow()

    def _follow(self) -> None:
        if self._follows:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whoever scrolls to the end follows it."""
        super().watch_scroll_y(old_value, new_value)
        self._follows = new_value >= self.max_scroll_y

    def on_resize(self) -> None:
        """The end stays in view."""
        self._follow()

    def action_shift(self, steps: int) -> None:
        """Show what is further right in long lines."""
        self._left = max(0, self._left + steps * _SIDE_STEP)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line."""
        place = self.scroll_offset.y + y
        text = self._lines[place][self._left :] if place < len(self._lines) else ""
        width = self.size.width
        return Strip([Segment(fit(text, width), self.rich_style)], width)


def clean_line(line: str) -> str:
    """A line of output without control sequences; of a progress bar that overwrites itself only the last state.

    >>> clean_line("10%\\r20%\\x1b[0m\\r")
    '20%'
    """
    last = line.rstrip("\r").rsplit("\r", 1)[-1]
    return neutral(_ESCAPES.sub("", last[-_LONGEST_LINE:]))
