"""Writes Markdown from values of unknown origin: text stays text, whatever it contains."""

import string
import unicodedata
from collections.abc import Iterable, Sequence

# Everything that opens markup, HTML, a link, a table cell or a list; the rest stays readable.
_MARKUP = set(string.punctuation) - set("-,;%='\"/?")
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: str) -> str:
    r"""One line of text that no Markdown reader takes for markup; control and invisible characters become U+FFFD.

    >>> plain("a|b <b>*c*</b>\n# d")
    'a\\|b \\<b\\>\\*c\\*\\</b\\> \\# d'
    """
    line = " ".join(text.split())
    visible = ("\ufffd" if unicodedata.category(character) in _HIDDEN else character for character in line)
    return "".join(f"\\{character}" if character in _MARKUP else character for character in visible)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; text cells are neutralised, numbers are aligned to the right.

    >>> print(table(["name", "value"], [["a_b", 0.5], ["c", None]]))
    | name | value |
    |---|---:|
    | a\\_b | 0.5000 |
    | c | - |
    """
    lines = [_line(plain(cell) for cell in header), "|---|" + "---:|" * (len(header) - 1)]
    lines += [_line(_cell(cell) for cell in row) for row in rows]
    return "\n".join(lines)


def code_block(text: str, language: str) -> str:
    """A fenced block that its text cannot close.

    >>> print(code_block("ls", "bash"))
    ```bash
    ls
    ```
    """
    fence = "`" * 3
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def number(value: float | None) -> str:
    """A number for people; a dash where there is none.

    >>> number(1234567), number(0.25), number(None)
    ('1,234,567', '0.2500', '-')
    """
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return number(value) if value is None or isinstance(value, int | float) else plain(str(value))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
