"""`finetui compare` and `finetui diff`: experiments side by side."""

import argparse
from typing import Any

from pipeline.contract.paths import METRICS_DIR
from tui.cli.context import Context
from tui.cli.output import print_json, print_line, print_table, raw
from tui.core.comparison import Comparison, MetricCell, MetricRow, ParamRow
from tui.core.comparison import compare as compare_experiments
from tui.core.keys import MISSING
from tui.core.ports import FileChange
from tui.core.values import format_delta, format_param, format_value

_ARROWS = {"better": "▲", "worse": "▼", "equal": "", "none": ""}


def compare(context: Context, options: argparse.Namespace) -> int:
    """Params that differ and metrics with their change against the baseline."""
    rows = [context.resolve(text) for text in options.revs]
    baseline = context.resolve(options.baseline) if options.baseline else rows[0]
    comparison = compare_experiments(rows, baseline)
    if options.form == "json":
        print_json(_as_json(comparison, options.all))
        return 0
    headers = ["key" if options.form == "csv" else "", *(row.label for row in rows)]
    table = _raw_table(comparison, options.all) if options.form == "csv" else _table(comparison, options.all)
    if table or options.form == "csv":
        print_table(headers, table, options.form)
    else:
        print_line("nothing differs; for what is equal as well: --all")
    return 0


def diff(context: Context, options: argparse.Namespace) -> int:
    """What changed from one revision to another: params, metrics, tracked files."""
    old, new = context.resolve(options.old), context.resolve(options.new)
    comparison = compare_experiments([old, new], old)
    files = context.store.changed_files(old, new)
    if options.form == "json":
        print_json({**_as_json(comparison, False), "files": files})
        return 0
    if not (comparison.changed_params or comparison.changed_metrics or files):
        print_line(f"{old.label} and {new.label} are equal")
        return 0
    if comparison.changed_params or comparison.changed_metrics:
        print_table(["", old.label, new.label], _table(comparison, False))
    shown = [change for change in files if not change.path.startswith(f"{METRICS_DIR}/")]
    if shown:
        print_line()
        print_table(["file", "", "lines"], [_file_row(change) for change in shown])
    if len(files) > len(shown):
        print_line(f"and {len(files) - len(shown)} files of results below {METRICS_DIR}")
    return 0


def _table(comparison: Comparison, everything: bool) -> list[list[str]]:
    params, metrics = _rows(comparison, everything)
    rows = [[row.key, *(format_param(value) for value in row.values)] for row in params]
    return rows + [[row.key, *(_metric(row, cell) for cell in row.cells)] for row in metrics]


def _raw_table(comparison: Comparison, everything: bool) -> list[list[str]]:
    params, metrics = _rows(comparison, everything)
    rows = [[row.key, *(raw(value) for value in row.values)] for row in params]
    return rows + [[row.key, *(raw(cell.value) for cell in row.cells)] for row in metrics]


def _rows(comparison: Comparison, everything: bool) -> tuple[tuple[ParamRow, ...], tuple[MetricRow, ...]]:
    if everything:
        return comparison.params, comparison.metrics
    return comparison.changed_params, comparison.changed_metrics


def _metric(row: MetricRow, cell: MetricCell) -> str:
    value = format_param(cell.value) if cell.value is MISSING else format_value(cell.value, row.key)
    change = "" if cell.verdict == "equal" else format_delta(cell.delta, row.key)
    return " ".join(part for part in (value, _ARROWS[cell.verdict], change) if part)


def _file_row(change: FileChange) -> list[str]:
    return [change.path, change.status, f"+{change.added} -{change.deleted}"]


def _as_json(comparison: Comparison, everything: bool) -> dict[str, Any]:
    params, metrics = _rows(comparison, everything)
    return {
        "baseline": comparison.baseline.rev,
        "experiments": [{"rev": row.rev, "name": row.label} for row in comparison.experiments],
        "params": {row.key: [_plain(value) for value in row.values] for row in params},
        "metrics": {
            row.key: {
                "direction": row.direction,
                "values": [_plain(cell.value) for cell in row.cells],
                "deltas": [cell.delta for cell in row.cells],
                "verdicts": [cell.verdict for cell in row.cells],
            }
            for row in metrics
        },
    }


def _plain(value: Any) -> Any:
    return None if value is MISSING else value
