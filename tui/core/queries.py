"""SQL as values: what there is to ask about, queries that are kept, and where a query is wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tui.core.errors import UsageError, UserError

_PARAMETER = re.compile(r"\$([a-z_]+)")


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """One column of a table."""

    name: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """One of the application's own queries."""

    name: str
    description: str
    sql: str
    """Statement without the comment that describes it; `$name` stands for what it is given."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """What it must be given, in the order in which it appears."""
        return tuple(dict.fromkeys(_PARAMETER.findall(self.sql)))

    def with_values(self, values: Mapping[str, str]) -> str:
        """The statement with texts in place of its parameters.

        >>> SavedQuery("one", "", "SELECT $key").with_values({"key": "it's"})
        "SELECT 'it''s'"
        """
        return _PARAMETER.sub(lambda match: quoted(values[match.group(1)]), self.sql)


class QueryError(UsageError):
    """A query that is wrong, with the place in its text if that is known."""

    def __init__(self, title: str, detail: str = "", hint: str = "", position: int | None = None) -> None:
        super().__init__(title, detail, hint)
        self.position = position
        """Index of the character where it is wrong."""


class TooLargeError(UserError):
    """A query that needs more memory than it may have."""

    def __init__(self, title: str = "", detail: str = "", hint: str = "") -> None:
        super().__init__(
            title or "the query needs too much memory", detail, hint or "narrow it: fewer rows, shorter texts, a WHERE"
        )


def quoted(text: str) -> str:
    """Text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def place_in(text: str, position: int) -> tuple[int, int]:
    """Line and column of a character, both from 1.

    >>> place_in("SELECT 1\\nFROM x", 14)
    (2, 6)
    """
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
