"""`finetui experiments --group-seeds`: one row for experiments that differ only in their seed."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from tui.cli.listing import NUM_COLUMNS, matching, ordered, print_columns, shown_columns
from tui.cli.output import print_error, print_json, raw
from tui.core.columns import Column, choose_columns
from tui.core.experiments import Experiment
from tui.core.grouping import Group, format_spread, group_by_seed
from tui.core.keys import Key, all_keys


def print_groups(rows: list[Experiment], options: argparse.Namespace) -> int:
    """Groups of the rows that match, sorted by their means."""
    rows = matching(rows, options.filter)
    columns = choose_columns(rows)
    pairs = [(group.mean, group) for group in group_by_seed(rows)]
    by_mean = {id(mean): group for mean, group in pairs}
    found = [by_mean[id(mean)] for mean in ordered([mean for mean, _ in pairs], columns, options)]
    if options.form == "json":
        keys = all_keys(rows, "metric")
        print_json([_as_json(group, keys) for group in found])
        return 0
    shown = shown_columns(columns, options.all_columns)
    limit = len(shown) if options.form != "text" or options.all_columns else NUM_COLUMNS
    titles = [column.text if options.form == "csv" else column.title for column in shown[:limit]]
    headers = ["experiment", "number", *titles]
    cell = _raw if options.form == "csv" else _text
    table = [
        [group.label, str(len(group.experiments)), *(cell(group, one) for one in shown[:limit])] for group in found
    ]
    num_hidden = len(shown) - print_columns(headers, table, shown[:limit], options)
    if num_hidden:
        print_error(f"{num_hidden} more columns differ; for all: --all-columns")
    return 0


def _text(group: Group, column: Column) -> str:
    spread = group.spread(column.key) if column.kind == "metric" and column.key is not None else None
    return column.format(group.experiments[0]) if spread is None else format_spread(spread, column.text)


def _raw(group: Group, column: Column) -> str:
    """Means; spreads are in JSON."""
    return raw(column.value(group.mean))


def _as_json(group: Group, keys: Sequence[Key]) -> Mapping[str, Any]:
    spreads = {key.text: group.spread(key) for key in keys}
    return {
        "experiments": [{"rev": one.rev, "name": one.label} for one in group.experiments],
        "seeds": group.seeds,
        "same": group.num_same,
        "params": group.experiments[0].params,
        "metrics": {name: spread for name, spread in spreads.items() if spread is not None},
    }
