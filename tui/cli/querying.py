"""`finetui query`: SQL over everything that ever ran."""

import argparse

from tui.cli.context import Context
from tui.cli.output import print_error, print_json, print_table
from tui.core.errors import UsageError


def query(context: Context, options: argparse.Namespace) -> int:
    """Print the rows of a read-only query, and say when there are more."""
    if options.limit < 1 or options.timeout <= 0:
        raise UsageError("--limit and --timeout must be positive")
    result = context.store.query(options.sql, context.runner.runs(), options.limit, options.timeout)
    if options.form == "json":
        print_json([dict(zip(result.columns, row, strict=True)) for row in result.rows])
    else:
        print_table(result.columns, [[_cell(value) for value in row] for row in result.rows], options.form)
    if result.truncated:
        print_error(f"only the first {options.limit} rows; for more: --limit")
    return 0


def _cell(value: object) -> str:
    return "" if value is None else str(value)
