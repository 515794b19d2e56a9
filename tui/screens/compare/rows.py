"""The table of a comparison: keys as rows, experiments as columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tui.core.comparison import Comparison, MetricCell, MetricRow, ParamRow
from tui.core.grouping import format_spread
from tui.core.keys import same
from tui.core.values import format_interval, format_p, format_param, format_value
from tui.widgets.deltas import delta_cell, value_and_delta_cell
from tui.widgets.table import Cell, Column, ListRows

_HEADING = "#"
_EVIDENCE = "evidence "
_TESTED = "test/"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows, and which of them differ."""

    rows: ListRows
    differing: frozenset[str]
    """Keys of rows that differ."""
    hidden: int
    """How many equal rows are left out."""

    @property
    def keys(self) -> list[str]:
        """Keys of all rows."""
        return [self.rows.key(row) for row in range(self.rows.num_rows)]

    @property
    def first_row(self) -> str:
        """Key of the first row that is no heading; empty if there is none."""
        return next((key for key in self.keys if not key.startswith(_HEADING)), "")

    def next_differing(self, row: int, by: int) -> str | None:
        """Key of the nearest row below (1) or above (-1) that differs; round the end, at last the row itself."""
        keys = self.keys
        places = ((row + by * far) % len(keys) for far in range(1, len(keys) + 1))
        return next((keys[place] for place in places if keys[place] in self.differing), None)


def sheet(comparison: Comparison, *, only_differences: bool, with_evidence: bool = True) -> Sheet:
    """What was changed, then what came of it, then params that are equal; each below a heading."""
    metrics = comparison.changed_metrics if only_differences else comparison.metrics
    changed = comparison.changed_params
    equal = [] if only_differences else [row for row in comparison.params if not row.differs]
    rows = [_heading("params", len(changed), len(comparison.params))]
    rows += [(f"param {row.key}", _param(row, comparison)) for row in changed]
    rows.append(_heading("metrics", len(metrics), len(comparison.metrics)))
    rows += [found for row in metrics for found in _metric_rows(row, comparison, with_evidence)]
    rows += [_heading("equal params", len(equal), len(equal))] if equal else []
    rows += [(f"param {row.key}", _param(row, comparison)) for row in equal]
    differing = {f"metric {row.key}" for row in comparison.changed_metrics}
    differing |= {f"param {row.key}" for row in comparison.changed_params}
    hidden = len(comparison.metrics) + len(comparison.params) - len(metrics) - len(changed) - len(equal)
    return Sheet(ListRows(rows), frozenset(differing), hidden)


def columns(comparison: Comparison) -> list[Column]:
    """The key, then one column for each experiment or group; the baseline carries a flag."""
    marked = zip(comparison.experiments, comparison.labels, strict=True)
    titles = [f"{'⚑ ' if one is comparison.baseline else ''}{label}" for one, label in marked]
    own = [Column(str(index), title, "right", min_width=8, max_width=36) for index, title in enumerate(titles)]
    return [Column("key", "", max_width=36), *own]


def metric_name(key: str) -> str:
    """Name of the metric or param of a row."""
    return key.partition(" ")[2]


def values_of(comparison: Comparison, key: str) -> list[Any] | None:
    """Values of the row with this key; None for a heading."""
    name = metric_name(key)
    if key.startswith("param "):
        return next((list(row.values) for row in comparison.params if row.key == name), None)
    return next(([cell.value for cell in row.cells] for row in comparison.metrics if row.key == name), None)


def _heading(title: str, shown: int, known: int) -> tuple[str, Mapping[str, Cell]]:
    note = f"{title}  {shown}" if shown == known else f"{title}  {shown} of {known} differ"
    return f"{_HEADING}{title}", {"key": (note, "accent")}


def _metric_rows(row: MetricRow, comparison: Comparison, with_evidence: bool) -> Iterator[tuple[str, dict[str, Cell]]]:
    """The metric, and below it what its examples say."""
    yield f"metric {row.key}", _metric(row, comparison)
    is_told = any(cell.interval is not None or cell.paired is not None for cell in row.cells)
    if with_evidence and is_told and _TESTED in row.key:
        told: dict[str, Cell] = {
            str(index): (_evidence(cell, row.key), "muted") for index, cell in enumerate(row.cells)
        }
        yield f"{_EVIDENCE}{row.key}", {"key": ("  95 %, p of the change", "muted"), **told}


def _evidence(cell: MetricCell, key: str) -> str:
    parts = [format_interval(cell.interval, key)]
    if cell.paired is not None:
        adjusted = cell.paired.adjusted_p_value
        parts.append(f"p {format_p(cell.paired.p_value if adjusted is None else adjusted)}")
    return "  ".join(part for part in parts if part)


def _metric(row: MetricRow, comparison: Comparison) -> dict[str, Cell]:
    cells: dict[str, Cell] = {"key": row.key}
    for index, (one, cell) in enumerate(zip(comparison.experiments, row.cells, strict=True)):
        cells[str(index)] = _metric_cell(cell, row.key, one is comparison.baseline)
    return cells


def _metric_cell(cell: MetricCell, key: str, is_baseline: bool) -> Cell:
    if cell.spread is None:
        return format_value(cell.value, key) if is_baseline else value_and_delta_cell(cell, key)
    delta, style = delta_cell(cell, key)
    value = format_spread(cell.spread, key)
    return value if is_baseline or not delta else (f"{value}  {delta}", style)


def _param(row: ParamRow, comparison: Comparison) -> dict[str, Cell]:
    cells: dict[str, Cell] = {"key": row.key}
    place = comparison.experiments.index(comparison.baseline)
    for index, value in enumerate(row.values):
        differs = not same(value, row.values[place])
        cells[str(index)] = (f"≠ {format_param(value)}", "warning") if differs else format_param(value)
    return cells
