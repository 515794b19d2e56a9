"""What the home screen shows of the experiments: which rows and columns, in which order, and every cell."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from pipeline.contract.metrics import last_part
from tui.core.catalogue import Catalogue
from tui.core.columns import Column as Choice
from tui.core.columns import metric_order, sort_key
from tui.core.comparison import MetricCell, metric_cell
from tui.core.experiments import Experiment
from tui.core.filters import parse_filter
from tui.core.rows import Row, SortKey, arrange_pairs
from tui.screens.experiments.sparks import WIDTH, Sparks
from tui.settings import ViewState
from tui.widgets.deltas import delta_cell
from tui.widgets.states import LOOKS, running_share
from tui.widgets.table import Cell, Column
from tui.widgets.times import age

_TEST = "test/"  # metrics without a split are those of the test split
_NUM_PARAMS = 4  # before the metrics that vary; the others come behind them
_MAX_COLUMNS = 24  # metrics that are the same in every row fill up to here; the Run screen has all of them


class Listing:
    """Rows for the table; a cell is made when it is seen."""

    def __init__(
        self, catalogue: Catalogue, state: ViewState, now: datetime, sparks: Sparks, *, is_narrow: bool
    ) -> None:
        self.catalogue, self.state, self._is_narrow = catalogue, state, is_narrow
        self._now, self._sparks, self._has_curves = now.replace(second=0, microsecond=0), sparks, sparks.is_any
        self._all = catalogue.by_key
        self._choices = {choice.text: choice for choice in catalogue.columns}
        kept = self._matching()
        self._num_matching = len(catalogue.pairs) if kept is None else len(kept)
        self._rows = arrange_pairs(catalogue.pairs, kept, self._sort_key(), is_flat=state.is_flat, folded=state.folded)
        self._deltas: dict[str, MetricCell] = {}

    def _matching(self) -> set[str] | None:
        """Keys of the rows that the filter lets through; None without one."""
        self.filter_problem = ""
        if not self.state.filter.strip():
            return None
        found = parse_filter(self.state.filter, keys=self.catalogue.keys)
        self.filter_problem = found.error
        return {key for key, experiment in self.catalogue.pairs if found.matches(experiment)}

    def is_for(self, catalogue: Catalogue, state: ViewState, now: datetime, *, is_narrow: bool) -> bool:
        """Whether another listing of these would look the same."""
        same_frame = self._now == now.replace(second=0, microsecond=0) and is_narrow == self._is_narrow
        same_frame = same_frame and self._has_curves == self._sparks.is_any
        return same_frame and state == self.state and catalogue is self.catalogue

    @property
    def experiments(self) -> Sequence[Experiment]:
        """All of them, shown or not."""
        return self.catalogue.experiments

    # Columns

    @cached_property
    def main_metric(self) -> Choice | None:
        """The metric that experiments are judged by."""
        chosen = self._choices.get(self.state.main_metric or "")
        judging = self._judging_metrics
        return chosen or next(iter(judging), None)

    @cached_property
    def _judging_metrics(self) -> list[Choice]:
        """Metrics with a better and a worse side, by importance; among equals those that vary come first."""
        judging = [one for one in self._choices.values() if one.kind == "metric" and one.direction != "none"]
        return sorted(judging, key=lambda one: (metric_order(one.text)[0], not one.varies))

    def next_metric(self) -> str | None:
        """The metric after the main one."""
        metrics = [one.text for one in self._judging_metrics]
        if self.main_metric is None or self.main_metric.text not in metrics:
            return None
        return metrics[(metrics.index(self.main_metric.text) + 1) % len(metrics)]

    @cached_property
    def columns(self) -> list[Column]:
        """The name, the method, the main metric with its change, what varies, when, the curve, other metrics.

        Where methods are mixed many params vary that few rows have: some come first, the rest behind the metrics.
        """
        choices, main = list(self._choices.values()), self.main_metric
        method = [one for one in choices if one.kind == "method"]
        first = method + ([main] if main is not None else [])
        varying = [one for one in choices if one.varies and one not in first]
        params, metrics = (
            [one for one in varying if one.kind == "param"],
            [one for one in varying if one.kind != "param"],
        )
        varying = [*params[:_NUM_PARAMS], *metrics, *params[_NUM_PARAMS:]]
        constant = [one for one in choices if one.kind == "metric" and not one.varies and one not in first]
        constant = constant[: max(0, _MAX_COLUMNS - len(varying))]
        columns = [Column("name", "name", max_width=24 if self._is_narrow else 30), *map(self._column, first)]
        if self._has_deltas:
            columns.append(Column("delta", "Δ base", "right"))
        columns += [*map(self._column, varying), Column("when", "when")]
        if self._has_curves:
            columns.append(Column("curve", "curve", width=WIDTH))
        return columns + [self._column(one) for one in constant]

    def _column(self, choice: Choice) -> Column:
        """A table column; where there is little room, a name loses what others do not need to tell it apart."""
        title = choice.title
        if choice.kind == "method":
            return Column(choice.text, title, max_width=20 if self._is_narrow else 26)
        if self._is_narrow:
            part = last_part(title)
            title = part if self._last_parts[part] <= 1 else title.removeprefix(_TEST)
        return Column(choice.text, title, "right", max_width=18 if self._is_narrow else 24)

    @cached_property
    def _last_parts(self) -> Counter[str]:
        """How many columns that vary end in the same word."""
        return Counter(last_part(one.title) for one in self._choices.values() if one.varies)

    @cached_property
    def _has_deltas(self) -> bool:
        if self.main_metric is None:
            return False
        return any(self._delta(key, experiment).delta is not None for key, experiment in self._all.items())

    # Rows

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def key(self, row: int) -> str:
        """What identifies the row."""
        return self._rows[row].key

    def cell(self, row: int, column: str) -> Cell:
        """Content of the cell in a row, under a column key."""
        one = self._rows[row]
        experiment = one.experiment
        if column == "name":
            if not self._has_curves:
                self._sparks.of(one.key, experiment)  # without the column nothing else asks whether there are any
            return self._name(one)
        if column == "delta":
            return delta_cell(self._delta(one.key, experiment), self.main_metric.text if self.main_metric else "")
        if column == "when":
            return (age(experiment.timestamp, self._now) if experiment.timestamp else "", "muted")
        if column == "curve":
            return (self._sparks.of(one.key, experiment), "muted")
        choice = self._choices[column]
        return choice.format(experiment), "strong" if choice is self.main_metric else ""

    def _name(self, row: Row) -> Cell:
        """The name with its place in the tree and its state."""
        one, flag = row.experiment, "⚑ " if row.key == self.state.baseline else ""
        look = LOOKS[one.status]
        if one.kind != "experiment":
            fold = "▸" if row.is_folded else "▾" if row.num_children else " "
            count = f" ({row.num_children})" if row.is_folded else ""
            return f"{fold} {flag}{_commit_name(one)}{count}", "strong"
        indent = "  " * row.depth
        share = [running_share(one.fraction)] if one.fraction is not None else []
        done = "".join(f" {part}" for part in ([one.stage] if one.stage and share else []) + share)
        style = look.style if one.status != "done" else ""
        return f"{indent}{look.glyph} {flag}{one.label}{done}", style

    def find(self, key: str) -> Experiment | None:
        """The experiment with this key, also if it is not shown."""
        return self._all.get(key)

    # Sort

    def _sort_key(self) -> SortKey | None:
        state = self.state
        if state.sort in {"name", "when"}:
            return _by_name(state.is_turned) if state.sort == "name" else _by_time(state.is_turned)
        column = self._choices.get(state.sort or "")
        return None if column is None else sort_key(column, (column.direction == "higher") != state.is_turned)

    @property
    def sort_marks(self) -> list[tuple[str, bool]]:
        """By what the rows are sorted, and whether the largest comes first."""
        sort, is_turned = self.state.sort, self.state.is_turned
        if sort == "when":
            return [(sort, not is_turned)]
        if sort == "name":
            return [(sort, is_turned)]
        column = self._choices.get(sort or "")
        return [] if column is None else [(column.text, (column.direction == "higher") != is_turned)]

    def next_sort(self) -> str | None:
        """The column to sort by after the present one; the main metric is the first."""
        keys = [column.key for column in self.columns if column.key not in {"delta", "curve"}]
        if self.main_metric is not None:
            keys = [self.main_metric.text, *(key for key in keys if key != self.main_metric.text)]
        if self.state.sort not in keys:
            return next(iter(keys), None)
        place = keys.index(self.state.sort)
        return keys[place + 1] if place + 1 < len(keys) else None

    # Comparison

    def baseline_of(self, experiment: Experiment) -> Experiment | None:
        """The pinned baseline, or the commit that an experiment was started from."""
        if self.state.baseline in self._all:
            return self._all[self.state.baseline]
        return self._all.get(experiment.baseline or "")

    def _delta(self, key: str, experiment: Experiment) -> MetricCell:
        """Change of the main metric against the baseline."""
        if key not in self._deltas:
            baseline, main = self.baseline_of(experiment), self.main_metric
            if baseline is None or baseline is experiment or main is None or main.key is None:
                self._deltas[key] = MetricCell(None, None, "none")
            else:
                values = main.key.value(experiment), main.key.value(baseline)
                self._deltas[key] = metric_cell(*values, main.direction, main.text)
        return self._deltas[key]

    def to_compare(self, current: Experiment | None) -> list[Experiment]:
        """What is marked, the baseline first; a single one with its baseline."""
        marked = [self._all[key] for key in self.state.marks if key in self._all]
        chosen = marked or ([current] if current is not None else [])
        pinned = self._all.get(self.state.baseline or "")
        if len(chosen) == 1:
            baseline = self.baseline_of(chosen[0])
            return [baseline, *chosen] if baseline is not None and baseline is not chosen[0] else chosen
        if pinned in chosen:
            return [pinned, *(one for one in chosen if one is not pinned)]
        return chosen

    # Words

    @property
    def marks(self) -> dict[str, str]:
        """Glyphs of marked rows."""
        return dict.fromkeys(self.state.marks, "●")

    @property
    def counts(self) -> str:
        """How many rows match."""
        return f"{self._num_matching} of {len(self.experiments)}"

    @property
    def title(self) -> str:
        """Title of the table."""
        state = self.state
        marked = sum(key in self._all for key in state.marks)
        parts = [f"Experiments {self.counts if state.filter.strip() else len(self.experiments)}"]
        parts += [f"filter: {state.filter}"] if state.filter.strip() else []
        parts += [f"✗ {self.filter_problem}"] if self.filter_problem else []
        parts += [f"{marked} marked"] if marked else []
        parts += ["list"] if state.is_flat else []
        num_pending = self.catalogue.num_pending
        parts += [f"filling in {num_pending} row{'s' if num_pending > 1 else ''}…"] if num_pending else []
        return " · ".join(parts)

    @property
    def placeholder(self) -> str:
        """Why there are no rows."""
        return "no row matches the filter; esc clears it" if self.experiments else "nothing here yet"

    @property
    def is_without_experiments(self) -> bool:
        """Whether there are only commits."""
        return bool(self.experiments) and all(one.kind != "experiment" for one in self.experiments)


def _commit_name(one: Experiment) -> str:
    if one.kind == "workspace":
        return "workspace"
    return f"{one.refs[0]} {one.short_rev}" if one.refs else f"{one.short_rev} {one.subject}".rstrip()


def _by_name(is_turned: bool) -> SortKey:
    return lambda one: [-ord(char) for char in one.label] if is_turned else one.label


def _by_time(is_turned: bool) -> SortKey:
    sign = 1 if is_turned else -1
    return lambda one: (one.timestamp is None, sign * one.timestamp.timestamp() if one.timestamp else 0.0)
