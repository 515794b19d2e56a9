"""`finetui query`: SQL over everything that ever ran."""

import argparse
import sys
from pathlib import Path

from tui.cli.context import Context
from tui.cli.output import Format, print_error, print_json, print_line, print_table
from tui.core.errors import UsageError
from tui.core.ports import QueryResult
from tui.core.queries import QueryError, SavedQuery, place_in
from tui.core.table_text import cell_text, record


def query(context: Context, options: argparse.Namespace) -> int:
    """Print the rows of a read-only query, and say when there are more."""
    if options.limit < 1 or not options.timeout > 0:
        raise UsageError("--limit and --timeout must be positive")
    if options.list:
        return _list(context, options.form)
    sql, values = _text(context, options), _values(options.values)
    try:
        result = context.store.query(sql, context.runner.runs(), options.limit, options.timeout, parameters=values)
    except QueryError as error:
        raise _placed(error, sql) from error
    _print(result, options.form)
    if result.truncated:
        more = "for more: --limit" if len(result.rows) == options.limit else "the others are too large to show"
        print_error(f"only the first {len(result.rows)} rows; {more}")
    for note in result.notes:
        print_error(f"left out: {note}")
    return 0


def _text(context: Context, options: argparse.Namespace) -> str:
    given = [one for one in (options.sql, options.file, options.saved) if one is not None]
    if len(given) != 1:
        raise UsageError(
            "a query is SQL, or -f FILE, or --saved NAME", hint="finetui query --list shows the saved ones"
        )
    if options.saved is not None:
        return _saved(context, options.saved).sql
    if options.file is not None and options.file != "-":
        return _read(Path(options.file))
    return sys.stdin.read() if "-" in given else str(options.sql)


def _read(place: Path) -> str:
    try:
        return place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the file cannot be read", f"{place}: {getattr(error, 'strerror', None) or error}") from error


def _saved(context: Context, name: str) -> SavedQuery:
    known = {one.name: one for one in context.store.saved_queries()}
    if name not in known:
        raise UsageError(f"no saved query '{name}'", f"there are {', '.join(known)}")
    return known[name]


def _values(given: list[str]) -> dict[str, str]:
    """What -p gives; a value is always text, `$x::DOUBLE` makes a number of it."""
    parts = [text.partition("=") for text in given]
    wrong = next((name for name, sign, _ in parts if not sign or not name), None)
    if wrong is not None:
        raise UsageError("-p takes NAME=VALUE", wrong)
    return {name.removeprefix("$"): value for name, _, value in parts}


def _placed(error: QueryError, sql: str) -> UsageError:
    if error.position is None:
        return error
    line, column = place_in(sql, error.position)
    return UsageError(error.title, f"{error.detail} (line {line}, column {column})", error.hint)


def _print(result: QueryResult, form: Format) -> None:
    if form == "json":
        print_json([record(result.columns, row) for row in result.rows])
    else:
        print_table(result.columns, [[cell_text(value) for value in row] for row in result.rows], form)


def _list(context: Context, form: Format) -> int:
    """The saved queries: what they are given, what they answer."""
    found = context.store.saved_queries()
    if form == "json":
        print_json([{"name": one.name, "parameters": one.parameters, "description": one.description} for one in found])
    elif form == "text":
        for one in found:
            print_line("  ".join([one.name, *(f"-p {name}=..." for name in one.parameters)]))
            print_line(f"    {one.description}")
    else:
        rows = [[one.name, " ".join(one.parameters), one.description] for one in found]
        print_table(["name", "parameters", "description"], rows, form)
    return 0
