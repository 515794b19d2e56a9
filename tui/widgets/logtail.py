"""The tail of a log: follows its end unless it is scrolled up."""

import re
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Log

from tui.widgets.text import neutral

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_LONGEST_LINE = 2000


class LogTail(Log):
    """Lines of foreign output, made harmless."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("pagedown,ctrl+d", "page_down", "Page down", show=False),
        Binding("pageup,ctrl+u", "page_up", "Page up", show=False),
        Binding("home,g", "scroll_home", "First line", show=False),
        Binding("end,G", "scroll_end", "Last line: follow again", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(highlight=False, max_lines=20_000, auto_scroll=True, id=id)
        self._rest = ""

    def append(self, text: str) -> None:
        """Add text as it arrives; an unfinished line waits for its end."""
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:
            self.write_lines([clean_line(line) for line in lines])

    def restart(self) -> None:
        """Forget everything."""
        self._rest = ""
        self.clear()


def clean_line(line: str) -> str:
    """A line of output without control sequences; of a progress bar that overwrites itself only the last state.

    >>> clean_line("10%\\r20%\\x1b[0m\\r")
    '20%'
    """
    last = line.rstrip("\r").rsplit("\r", 1)[-1]
    return neutral(_ESCAPES.sub("", last[-_LONGEST_LINE:]))
