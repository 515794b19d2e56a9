"""`finetui diff`: what changed from one revision to another."""

import argparse
from collections.abc import Collection, Sequence
from typing import Any

from pipeline.contract.paths import METRICS_DIR
from tui.cli.comparing import comparison_as_json, print_comparison
from tui.cli.context import Context
from tui.cli.output import Format, print_json, print_line, print_table
from tui.core.changes import DataChange, StageChange
from tui.core.comparison import Comparison
from tui.core.comparison import compare as compare_experiments
from tui.core.evidence import read_evidence
from tui.core.experiments import Experiment
from tui.core.ports import FileChange
from tui.core.visible import visible

_HASH_DIGITS = 8
_MAX_NAMES = 3
_SIGNS = {"added": "+", "deleted": "-", "modified": "~"}


def diff(context: Context, options: argparse.Namespace) -> int:
    """Params, metrics, data, stages and tracked files that differ."""
    old, new = context.resolve(options.old), context.resolve(options.new)
    if options.form == "json":
        print_json(diff_as_json(context, old, new))
    else:
        print_diff(context, old, new, options.form)
    return 0


def diff_as_json(context: Context, old: Experiment, new: Experiment) -> dict[str, Any]:
    """All that differs, as `diff --json` prints it."""
    comparison = _compared(context, old, new)
    stages, files = context.store.changed_stages(old, new), context.store.changed_files(old, new)
    return {
        **comparison_as_json(comparison, False),
        "data": context.store.changed_data(old, new),
        "stages": stages,
        "files": files,
    }


def print_diff(context: Context, old: Experiment, new: Experiment, form: Format = "text") -> None:
    """All that differs, in tables."""
    comparison = _compared(context, old, new)
    data, stages = context.store.changed_data(old, new), context.store.changed_stages(old, new)
    files = context.store.changed_files(old, new)
    if not (comparison.changed_params or comparison.changed_metrics or data or stages or files):
        print_line(visible(f"{old.label} and {new.label} are equal"))
    else:
        _print(comparison, stages, data, files, form)


def _compared(context: Context, old: Experiment, new: Experiment) -> Comparison:
    return compare_experiments([old, new], old, read_evidence(context.store, [old, new], old))


def _print(
    comparison: Comparison,
    stages: Sequence[StageChange],
    data: Sequence[DataChange],
    files: Sequence[FileChange],
    form: Format,
) -> None:
    if comparison.changed_params or comparison.changed_metrics:
        print_comparison(comparison, False, form)
    if stages:
        rows = [row for change in stages for row in _stage_rows(change)]
        _section("stage", "", "", "what differs", rows=rows, form=form)
    results = _results(comparison.experiments)
    content = [change for change in data if not _is_result(change.path, results)]
    if content:
        _section("data", "", "old", "new", "files", rows=[_data_row(change) for change in content], form=form)
    shown = [one for one in files if not _is_result(one.path, results)]
    if shown:
        _section("file", "", "lines", rows=[_file_row(change) for change in shown], form=form)
    if len(files) > len(shown):
        num = len(files) - len(shown)
        print_line(f"\nand {num} file{'s' if num > 1 else ''} of results")


def _section(*headers: str, rows: Sequence[Sequence[str]], form: Format) -> None:
    print_line()
    print_table(headers, rows, form)


def _results(experiments: Sequence[Experiment]) -> set[str]:
    """Metrics files, whose content is told above."""
    return {path for one in experiments for path in one.metrics}


def _is_result(path: str, results: Collection[str]) -> bool:
    return path in results or path.startswith(f"{METRICS_DIR}/")


def _stage_rows(change: StageChange) -> list[list[str]]:
    rows = []
    for part, names in change.parts or ((None, ()),):
        more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
        rows.append([change.stage, change.status, part or "", ", ".join(names[:_MAX_NAMES]) + more])
    return [rows[0], *(["", "", *row[2:]] for row in rows[1:])]


def _data_row(change: DataChange) -> list[str]:
    hashes = ["-" if value is None else value[:_HASH_DIGITS] for value in (change.old, change.new)]
    return [change.path, f"{change.role} {change.status}", *hashes, _files_of(change)]


def _files_of(change: DataChange) -> str:
    """Signs as in Git: + added, - deleted, ~ modified."""
    names = [f"{_SIGNS[status]}{path}" for path, status in change.files[:_MAX_NAMES]]
    more = len(change.files) - _MAX_NAMES
    return " ".join(names) + (f" and {more} more" if more > 0 else "")


def _file_row(change: FileChange) -> list[str]:
    return [change.path, change.status, f"+{change.added} -{change.deleted}"]
