"""`finetui compare`: experiments side by side, with what their per-example results say."""

import argparse
from collections.abc import Sequence
from typing import Any

from pipeline.contract.metrics import is_resource
from tui.cli.context import Context
from tui.cli.example_tables import evidence_as_json, print_changes, print_scores, raw_score_rows
from tui.cli.output import Format, print_json, print_line, print_table, raw
from tui.core.comparison import Comparison, MetricCell, MetricRow, ParamRow, compare_groups
from tui.core.comparison import compare as compare_experiments
from tui.core.errors import UsageError, UserError
from tui.core.evidence import read_evidence
from tui.core.experiments import Experiment
from tui.core.grouping import Group, all_repeats, format_spread, group_by_seed
from tui.core.keys import MISSING
from tui.core.values import format_delta, format_param, format_share, format_value
from tui.core.visible import visible

_ARROWS = {"better": "▲", "worse": "▼", "equal": "", "none": "", "noise": "~"}
_EVERYTHING = 10**9


def compare(context: Context, options: argparse.Namespace) -> int:
    """Params that differ, metrics with their change against the baseline, and examples fixed and broken."""
    if options.group_seeds:
        return _compare_groups(context, options)
    if not options.revs:
        raise UsageError("nothing to compare", hint="finetui compare A B; or --group-seeds for all experiments")
    rows = [context.resolve(text) for text in options.revs]
    baseline = context.resolve(options.baseline) if options.baseline else rows[0]
    if all(row.rev != baseline.rev for row in rows):
        rows.insert(0, baseline)  # changes without what they are changes of would tell little
    if len(rows) == 1:
        raise UsageError(f"{rows[0].label} has nothing to compare with", hint="finetui compare A B names two")
    key = options.examples.rpartition("/")[2] if options.examples else None
    evidence = read_evidence(context.store, rows, baseline, key, _EVERYTHING)
    if key is not None and not any(one is not None and one.key == key for one in evidence.paired):
        why = "; ".join(evidence.notes) or f"neither {baseline.label} nor any other of them has per-example results"
        raise UserError(f"there are no examples to list by {key!r}", why)
    comparison = compare_experiments(rows, baseline, evidence, all_repeats(rows, context.experiments()))
    if options.form == "json":
        examples = evidence_as_json(evidence, with_changes=key is not None)
        print_json({**comparison_as_json(comparison, options.all), "examples": examples})
        return 0
    if options.form == "csv":
        table = _raw_table(comparison, options.all) + raw_score_rows(evidence)
        print_table(["key", *comparison.labels], table, "csv")
        return 0
    print_comparison(comparison, options.all, options.form)
    print_scores(evidence, comparison, options.form)
    if key is not None:
        print_changes(evidence, comparison, options.form)
    return 0


def _compare_groups(context: Context, options: argparse.Namespace) -> int:
    if options.examples:
        raise UsageError("--examples compares single experiments", hint="leave --group-seeds away")
    groups = _groups(context, options.revs)
    base = context.resolve(options.baseline) if options.baseline else groups[0].experiments[0]
    place = next((i for i, group in enumerate(groups) if any(one.rev == base.rev for one in group.experiments)), None)
    if place is None:
        groups, place = [Group((base,), 0, ({},)), *groups], 0
    comparison = compare_groups(groups, place)
    if options.form == "json":
        print_json(comparison_as_json(comparison, options.all))
    elif options.form == "csv":
        print_table(["key", *comparison.labels], _raw_group_table(comparison, options.all), "csv")
    else:
        print_comparison(comparison, options.all, options.form)
        print_line()
        for group in groups:
            names = ", ".join(one.label for one in group.experiments)
            same = f"; {group.num_same} left out: the same result again" if group.num_same else ""
            print_line(visible(f"{group.label}: {names}{same}"))
    return 0


def _groups(context: Context, revs: Sequence[str]) -> list[Group]:
    """Of these experiments; without any, of all that were repeated."""
    if revs:
        return group_by_seed([context.resolve(text) for text in revs])
    groups = [group for group in group_by_seed(context.experiments()) if len(group.experiments) > 1]
    if not groups:
        raise UsageError("no experiments differ only in their seed", hint="finetui run -S train.seed=1 repeats one")
    return groups


def print_comparison(comparison: Comparison, everything: bool, form: Format) -> None:
    """One table, and what its signs mean."""
    table = _table(comparison, everything)
    if not table:
        print_line("nothing differs; for what is equal as well: --all")
        return
    print_table(["", *comparison.labels], table, form)
    notes = []
    if any(cell.verdict == "noise" for row in _rows(comparison, everything)[1] for cell in row.cells):
        notes.append("~ can well be chance")
    notes += [f"{label} lacks {_listed(keys)}" for label, keys in comparison.lacking.items()]
    for note in notes:
        print_line(("\n" if note is notes[0] else "") + visible(note))


def _listed(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:3])
    return shown if len(keys) <= 3 else f"{shown} and {len(keys) - 3} more metrics"


def _table(comparison: Comparison, everything: bool) -> list[list[str]]:
    params, metrics = _rows(comparison, everything)
    rows = [[row.key, *(format_param(value) for value in row.values)] for row in params]
    return rows + [[row.key, *(_metric(row, cell) for cell in row.cells)] for row in metrics]


def _raw_table(comparison: Comparison, everything: bool) -> list[list[str]]:
    params, metrics = _rows(comparison, everything)
    rows = [[row.key, *(raw(value) for value in row.values)] for row in params]
    return rows + [[row.key, *(raw(cell.value) for cell in row.cells)] for row in metrics]


def _raw_group_table(comparison: Comparison, everything: bool) -> list[list[str]]:
    params, metrics = _rows(comparison, everything)
    rows = [[row.key, *(raw(value) for value in row.values)] for row in params]
    for row in metrics:
        for name in ("num", "mean", "std", "low", "high"):
            spreads = (cell.spread for cell in row.cells)
            rows.append([f"{row.key}:{name}", *(raw(getattr(one, name)) if one else "" for one in spreads)])
    return rows


def _rows(comparison: Comparison, everything: bool) -> tuple[tuple[ParamRow, ...], tuple[MetricRow, ...]]:
    if everything:
        return comparison.params, comparison.metrics
    return comparison.changed_params, comparison.changed_metrics


def _metric(row: MetricRow, cell: MetricCell) -> str:
    value = format_param(cell.value) if cell.value is MISSING else format_value(cell.value, row.key)
    if cell.spread is not None:
        value = format_spread(cell.spread, row.key)
    change = "" if cell.verdict == "equal" else _change(row, cell)
    return " ".join(part for part in (value, _ARROWS[cell.verdict], change) if part)


def _change(row: MetricRow, cell: MetricCell) -> str:
    """Of what a run cost, the share: it says more than bytes and seconds, and takes no more room."""
    share = format_share(cell.relative) if is_resource(row.key) else ""
    return share or format_delta(cell.delta, row.key)


def comparison_as_json(comparison: Comparison, everything: bool) -> dict[str, Any]:
    """Params and metrics; what is missing is null."""
    params, metrics = _rows(comparison, everything)
    answer: dict[str, Any] = {
        "baseline": comparison.baseline.rev,
        "experiments": [_named(row) for row in comparison.experiments],
        "params": {row.key: [_plain(value) for value in row.values] for row in params},
        "metrics": {row.key: _metric_as_json(row, bool(comparison.groups)) for row in metrics},
    }
    if comparison.groups:
        answer["groups"] = [
            {"experiments": [_named(one) for one in group.experiments], "seeds": group.seeds, "same": group.num_same}
            for group in comparison.groups
        ]
    return answer


def _named(experiment: Experiment) -> dict[str, str]:
    return {"rev": experiment.rev, "name": experiment.label}


def _metric_as_json(row: MetricRow, is_grouped: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "direction": row.direction,
        "values": [_plain(cell.value) for cell in row.cells],
        "deltas": [cell.delta for cell in row.cells],
        "relative": [cell.relative for cell in row.cells],
        "verdicts": [cell.verdict for cell in row.cells],
    }
    if any(cell.interval for cell in row.cells):
        answer["intervals"] = [cell.interval for cell in row.cells]
    if is_grouped:
        answer["spreads"] = [cell.spread for cell in row.cells]
    return answer


def _plain(value: Any) -> Any:
    return None if value is MISSING else value
