"""The table of `finetui experiments`: which rows and columns, in which order."""

import argparse
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from tui.cli.output import print_error, print_json, print_table, raw, table_width
from tui.cli.rows import as_json, state
from tui.cli.text_room import room_beside
from tui.core.columns import Column, choose_columns, sort_key
from tui.core.errors import UsageError
from tui.core.experiments import Experiment
from tui.core.filters import parse_filter

_FIRST = ("experiment", "rev", "status")
_SORT_FIELDS: dict[str, Callable[[Experiment], Any]] = {
    "experiment": lambda row: row.label.casefold(),
    "name": lambda row: row.label.casefold(),
    "status": lambda row: row.status,
    "rev": lambda row: row.rev,
    "timestamp": lambda row: row.timestamp,
}
"""What rows can be sorted by besides their columns."""
NUM_COLUMNS = 8
"""Columns that the text table shows unless all are wanted."""
_NUM_PARAMS = 3
"""Params among them."""


def print_listing(rows: list[Experiment], options: argparse.Namespace) -> int:
    """Print rows, filtered and sorted as asked."""
    columns = choose_columns(rows)
    rows = ordered(matching(rows, options.filter), columns, options)
    if options.form == "json":
        print_json([as_json(row) for row in rows])
        return 0
    if not any(row.kind == "experiment" for row in rows) and not options.filter:
        print_error("no experiments yet; make one: finetui run")
    shown = shown_columns(columns, options.all_columns)
    limit = len(shown) if options.form != "text" or options.all_columns else NUM_COLUMNS
    if options.form == "csv":
        print_table([*_FIRST, *(column.text for column in shown)], [_raw_row(row, shown) for row in rows], "csv")
        return 0
    headers = [*_FIRST, *(column.title for column in shown[:limit])]
    table = [_table_row(row, shown[:limit], is_tree=not options.sort) for row in rows]
    num_hidden = len(shown) - print_columns(headers, table, shown[:limit], options)
    if not rows:
        hint = "; a value with spaces goes in quotes" if _has_lone_word(options.filter) else ""
        print_error(f"no row matches --filter {options.filter!r}{hint}")
    elif num_hidden:
        print_error(f"{num_hidden} more columns differ; for all: --all-columns")
    return 0


def print_columns(
    headers: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[Column], options: argparse.Namespace
) -> int:
    """A table with as many of the columns as a terminal has room for, unless all were asked for; how many these are."""
    places = list(range(len(headers)))
    if options.form == "text" and not options.all_columns:
        places = fitting(headers, rows, columns)
    cells = [[row[place] for place in places] for row in (headers, *rows)]
    print_table(cells[0], cells[1:], options.form)
    return len(places) - (len(headers) - len(columns))


def fitting(headers: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[Column]) -> list[int]:
    """Places of the cells that a terminal has room for: those before the columns, the metric that matters most in any
    case, then of the others those that fit; all where nothing is cut."""
    room, num_first = room_beside(0), len(headers) - len(columns)
    best = next((place for place, column in enumerate(columns) if column.kind == "metric"), 0)
    chosen = list(range(num_first))
    for place in sorted(range(len(columns)), key=lambda place: place != best):
        tried = sorted([*chosen, num_first + place])
        cells = [[row[one] for one in tried] for row in (headers, *rows)]
        if room is None or len(chosen) == num_first or table_width(cells[0], cells[1:]) <= room:
            chosen = tried
    return chosen


def matching(rows: list[Experiment], text: str) -> list[Experiment]:
    """Rows that a filter keeps; UsageError for one that makes no sense."""
    if not text.strip():
        return rows
    chosen = parse_filter(text, rows)
    if chosen.error:
        raise UsageError(f"--filter {text!r}: {chosen.error}")
    return [row for row in rows if chosen.matches(row)]


def ordered(rows: list[Experiment], columns: Sequence[Column], options: argparse.Namespace) -> list[Experiment]:
    """Rows by a column, the best first; by a column where neither way is better, the smallest."""
    name = options.sort
    if not name:
        return rows[::-1] if options.reverse else rows
    found = [column for column in columns if name in {column.text, column.title}]
    if not found and name in _SORT_FIELDS:
        return _by_field(rows, _SORT_FIELDS[name], options.reverse)
    if not found:
        import difflib

        known = [*_SORT_FIELDS, *(column.text for column in columns)]
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(close)}?" if close else "see: finetui experiments --all-columns"
        raise UsageError(f"--sort {name!r}: no such column", hint=hint)
    column = found[0]
    return sorted(rows, key=sort_key(column, descending=(column.direction == "higher") != options.reverse))


def _by_field(rows: list[Experiment], field: Callable[[Experiment], Any], is_reversed: bool) -> list[Experiment]:
    """Rows by what every one has; where it is missing they come last."""
    known = [row for row in rows if field(row) is not None]
    return sorted(known, key=field, reverse=is_reversed) + [row for row in rows if field(row) is None]


def _has_lone_word(text: str) -> bool:
    """Whether a word without a sign stands behind a comparison, as in `name=two words`."""
    words = text.split()
    return '"' not in text and any(
        re.search("[:=<>]", one) and not re.search("[:=<>|]", other) for one, other in pairwise(words)
    )


def shown_columns(columns: Sequence[Column], everything: bool) -> list[Column]:
    """The method, the metric that matters most, params that vary, then the other metrics."""
    wanted = [column for column in columns if column.varies or everything]
    metrics = [column for column in wanted if column.kind == "metric"]
    first = [column for column in wanted if column.kind == "method"] + metrics[:1]
    params = [column for column in wanted if column.kind == "param"]
    few = params if everything else params[:_NUM_PARAMS]
    return [*first, *few, *metrics[1:], *params[len(few) :]]


def _raw_row(row: Experiment, columns: Sequence[Column]) -> list[str]:
    return [row.label, row.rev, row.status, *(raw(column.value(row)) for column in columns)]


def _table_row(row: Experiment, columns: Sequence[Column], is_tree: bool) -> list[str]:
    indent = "  " if row.kind == "experiment" and is_tree else ""
    return [indent + row.label, row.short_rev, state(row), *(column.format(row) for column in columns)]
