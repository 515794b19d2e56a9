"""Queries that were run before."""

from collections.abc import Sequence

NUM_KEPT = 100
_LONGEST = 20_000  # characters; a query that somebody generated is not worth to be kept
_SHOWN = 100


def remembered(queries: Sequence[str], sql: str) -> tuple[str, ...]:
    """The queries with this one as the last; one that was run before moves there.

    >>> remembered(("a", "b"), "a")
    ('b', 'a')
    """
    if len(sql) > _LONGEST:
        return tuple(queries)
    return (*(one for one in queries if one != sql), sql)[-NUM_KEPT:]


def one_line(sql: str) -> str:
    """A query as one line of a list.

    >>> one_line("SELECT 1\\n  FROM x")
    'SELECT 1 FROM x'
    """
    text = " ".join(sql.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
