"""Text of a repository as a terminal may get it."""

import unicodedata

_BREAKS = "\n\t"
_DRIVING = frozenset({"Cc", "Cf", "Cs"})


def visible(text: str) -> str:
    """Text in one line, without control characters, which could drive the terminal.

    >>> visible("two\\nlines\\x1b[2J")
    'two lines[2J'
    """
    if text.isprintable():
        return text
    return "".join(" " if one in _BREAKS else one for one in text if one in _BREAKS or not _drives(one))


def _drives(character: str) -> bool:
    return unicodedata.category(character) in _DRIVING
