"""What DuckDB says of a query that is wrong, in a person's words, with its place."""

import difflib
import json
import re
from typing import Any

import duckdb

from tui.core.errors import UserError
from tui.core.queries import QueryError, TooLargeError
from tui.store.sql.schema import SCHEMA

HINT = "docs/sql.md lists the tables and columns; SHOW TABLES and DESCRIBE metrics do so too"
_TITLES = {"Parser": "the query does not parse", "Permission": "a query sees no files"}


def query_error(error: BaseException, sql: str) -> UserError:
    """The error to show for an error of DuckDB."""
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
        return TooLargeError()
    facts = _facts(str(error))
    kind = str(facts.get("exception_type", ""))
    detail, hint = _words(facts)
    position = _position(facts, sql)
    return QueryError(_TITLES.get(kind, "the query failed"), detail, hint, position)


def _facts(text: str) -> dict[str, Any]:
    _, brace, rest = text.partition("{")
    try:
        facts = json.loads(brace + rest)
    except ValueError:
        return {"exception_message": re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", text)}
    return facts if isinstance(facts, dict) else {"exception_message": text}


def _words(facts: dict[str, Any]) -> tuple[str, str]:
    """Detail and hint."""
    name, subtype = str(facts.get("name", "")), facts.get("error_subtype")
    if subtype == "COLUMN_NOT_FOUND":
        known = [one.strip() for one in str(facts.get("candidates", "")).split(",") if one.strip()]
        return f"there is no column {name}", _nearest(name, known) or _listed(known) or HINT
    if subtype == "MISSING_ENTRY" and facts.get("type") == "Table":
        return f"there is no table {name}", f"{_nearest(name, list(SCHEMA))}there are {', '.join(sorted(SCHEMA))}"
    lines = [line.strip() for line in str(facts.get("exception_message", "")).splitlines()]
    message = lines[0] if lines else ""
    more = next((line for line in lines[1:] if line.startswith(("Did you mean", "Candidate bindings"))), "")
    hint = "" if facts.get("exception_type") == "Parser" else HINT
    return message, more.replace(": : ", ": ") or hint


def _listed(known: list[str]) -> str:
    """Columns of the tables in the statement, as DuckDB finds them."""
    return f"there are {', '.join(known)}" if known else ""


def _nearest(name: str, known: list[str]) -> str:
    found = difflib.get_close_matches(name.lower(), known, 1, 0.5)
    return f"did you mean {found[0]}? " if found else ""


def _position(facts: dict[str, Any], sql: str) -> int | None:
    """DuckDB counts bytes."""
    try:
        offset = int(facts["position"])
    except (KeyError, ValueError):
        return None
    return len(sql.encode()[:offset].decode(errors="ignore"))
