"""The table of a comparison: keys as rows, experiments as columns."""

from collections.abc import Mapping
from dataclasses import dataclass

from tui.core.comparison import Comparison, MetricRow, ParamRow
from tui.core.keys import same
from tui.core.values import format_param, format_value
from tui.widgets.deltas import value_and_delta_cell
from tui.widgets.table import Cell, Column, ListRows

_HEADING = "#"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows, and which of them differ."""

    rows: ListRows
    differing: frozenset[str]
    """Keys of rows that differ."""
    hidden: int
    """How many equal rows are left out."""


def sheet(comparison: Comparison, *, only_differences: bool) -> Sheet:
    """What was changed, then what came of it, then params that are equal; each below a heading."""
    metrics = comparison.changed_metrics if only_differences else comparison.metrics
    changed = comparison.changed_params
    equal = [] if only_differences else [row for row in comparison.params if not row.differs]
    rows = [_heading("params", len(changed), len(comparison.params))]
    rows += [(f"param {row.key}", _param(row, comparison)) for row in changed]
    rows.append(_heading("metrics", len(metrics), len(comparison.metrics)))
    rows += [(f"metric {row.key}", _metric(row, comparison)) for row in metrics]
    rows += [_heading("equal params", len(equal), len(equal))] if equal else []
    rows += [(f"param {row.key}", _param(row, comparison)) for row in equal]
    differing = {f"metric {row.key}" for row in comparison.changed_metrics}
    differing |= {f"param {row.key}" for row in comparison.changed_params}
    hidden = len(comparison.metrics) + len(comparison.params) - len(metrics) - len(changed) - len(equal)
    return Sheet(ListRows(rows), frozenset(differing), hidden)


def columns(comparison: Comparison) -> list[Column]:
    """The key, then one column for each experiment; the baseline carries a flag."""
    titles = [f"{'⚑ ' if one is comparison.baseline else ''}{one.label}" for one in comparison.experiments]
    own = [Column(str(index), title, "right", min_width=8, max_width=28) for index, title in enumerate(titles)]
    return [Column("key", "", max_width=36), *own]


def is_heading(key: str) -> bool:
    """Whether a row is only a heading."""
    return key.startswith(_HEADING)


def _heading(title: str, shown: int, known: int) -> tuple[str, Mapping[str, Cell]]:
    note = f"{title}  {shown}" if shown == known else f"{title}  {shown} of {known} differ"
    return f"{_HEADING}{title}", {"key": (note, "accent")}


def _metric(row: MetricRow, comparison: Comparison) -> dict[str, Cell]:
    cells: dict[str, Cell] = {"key": row.key}
    for index, (one, cell) in enumerate(zip(comparison.experiments, row.cells, strict=True)):
        is_baseline = one is comparison.baseline
        cells[str(index)] = format_value(cell.value, row.key) if is_baseline else value_and_delta_cell(cell, row.key)
    return cells


def _param(row: ParamRow, comparison: Comparison) -> dict[str, Cell]:
    cells: dict[str, Cell] = {"key": row.key}
    place = comparison.experiments.index(comparison.baseline)
    for index, value in enumerate(row.values):
        differs = not same(value, row.values[place])
        cells[str(index)] = (f"≠ {format_param(value)}", "warning") if differs else format_param(value)
    return cells
