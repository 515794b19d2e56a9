"""A text area for SQL: words, texts, numbers and comments are told apart."""

import re
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from tui.widgets.ink import ink

_KEYWORDS = """
    all and anti any as asc asof between by case cast cross current_date desc describe distinct else end except exclude
    exists explain false filter first following for from full group having ilike in inner intersect interval into is
    join last lateral left like limit natural not null nulls offset on or order outer over partition pivot positional
    preceding qualify range recursive replace right row rows sample select semi show some summarize table then true
    try_cast unbounded union unpivot using values when where window with
"""
_TOKEN = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<text>'(?:[^']|'')*(?:'|\Z))"
    r'|(?P<name>"[^"]*(?:"|\Z))'
    r"|(?P<parameter>\$\w+)"
    r"|(?P<number>\b\d[\w.]*)"
    rf"|(?P<keyword>\b(?:{'|'.join(_KEYWORDS.split())})\b)"
    r"|\w+",
    re.IGNORECASE | re.DOTALL,
)
Span = tuple[int, int, str]
"""First and last column of a token in its line, and what it is."""


class SqlEditor(TextArea):
    """Several lines of SQL; tab leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,ctrl+enter,ctrl+j", "screen.run", "Run the query", show=False),
        Binding("ctrl+z", "undo", "Undo", show=False),
        Binding("ctrl+y", "redo", "Redo", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "sql--keyword", "sql--text", "sql--name", "sql--number", "sql--comment", "sql--parameter",
    }  # fmt: skip
    DEFAULT_CSS = """
    SqlEditor {
        background: transparent; scrollbar-size-vertical: 1;
        & .sql--keyword { color: $text-primary; text-style: bold; }
        & .sql--text { color: $text-success; }
        & .sql--name { color: $foreground; }
        & .sql--number { color: $text-accent; }
        & .sql--parameter { color: $text-warning; text-style: bold; }
        & .sql--comment { color: $text-muted; text-style: italic; }
        &:ansi {
            & .sql--keyword { color: ansi_default; text-style: bold; }
            & .sql--text { color: ansi_green; }
            & .sql--number { color: ansi_magenta; }
            & .sql--parameter { color: ansi_yellow; }
            & .sql--comment { color: ansi_default; text-style: dim; }
        }
    }
    """

    def __init__(
        self, text: str = "", *, placeholder: str = "", id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(
            text, id=id, classes=classes, tab_behavior="focus", placeholder=placeholder, highlight_cursor_line=False
        )
        self.cursor_blink = False
        self._spans: tuple[str, list[list[Span]]] = ("", [])

    def get_line(self, line_index: int) -> Text:
        """One line in colours."""
        line = super().get_line(line_index)
        for start, end, kind in self._spans_of(line_index):
            line.stylize(ink(self, f"sql--{kind}"), start, end)
        return line

    def _spans_of(self, line_index: int) -> list[Span]:
        text = self.document.text
        if self._spans[0] != text or not self._spans[1]:
            self._spans = text, spans(text)
        lines = self._spans[1]
        return lines[line_index] if line_index < len(lines) else []

    def put(self, text: str) -> None:
        """Replace everything; it can be undone."""
        self.replace(text, (0, 0), self.document.end)
        self.move_cursor((0, 0))

    def mark(self, position: int) -> None:
        """Select the word at a place in the text."""
        before = self.text[:position]
        row, column = before.count("\n"), position - (before.rfind("\n") + 1)
        word = re.match(r'"[^"]*"|\w+|\S?', self.text[position:])
        length = word.end() if word is not None else 0
        self.move_cursor((row, column))
        self.move_cursor((row, column + length), select=True)


def spans(text: str) -> list[list[Span]]:
    """Coloured parts of every line.

    >>> spans("select 1")
    [[(0, 6, 'keyword'), (7, 8, 'number')]]
    """
    found: list[list[Span]] = [[]]
    line, start = 0, 0
    for match in _TOKEN.finditer(text):
        gap = text.count("\n", start, match.start())
        line += gap
        found += [[] for _ in range(gap)]
        column = match.start() - (text.rfind("\n", 0, match.start()) + 1)
        for number, part in enumerate(match.group().split("\n")):
            if number:
                line, column = line + 1, 0
                found.append([])
            if match.lastgroup is not None and part:
                found[line].append((column, column + len(part), match.lastgroup))
        start = match.end()
    return found
