"""The application's own queries: one file each in sql/, which begins with a comment that says what it answers."""

from importlib.resources import files

from tui.core.errors import UsageError
from tui.core.queries import SavedQuery


def saved_queries() -> list[SavedQuery]:
    """All of them, by name."""
    folder = files("tui.store") / "sql"
    found = [item for item in folder.iterdir() if item.name.endswith(".sql")]
    return sorted(
        (_read(item.name.removesuffix(".sql"), item.read_text(encoding="utf-8")) for item in found),
        key=lambda query: query.name,
    )


def saved_query(name: str) -> SavedQuery:
    """The one of this name; UsageError names them all if there is no such one."""
    known = {query.name: query for query in saved_queries()}
    if name not in known:
        raise UsageError(f"no saved query '{name}'", f"there are {', '.join(known)}")
    return known[name]


def _read(name: str, text: str) -> SavedQuery:
    lines = text.splitlines()
    num_comments = next(index for index, line in enumerate(lines) if not line.startswith("--"))
    description = " ".join(line.removeprefix("--").strip() for line in lines[:num_comments])
    return SavedQuery(name, description, "\n".join(lines[num_comments:]).strip())
