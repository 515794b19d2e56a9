"""What the home screen shows of the experiments: which rows and columns, in which order, and every cell."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from pipeline.contract.metrics import last_part
from tui.core.catalogue import Catalogue
from tui.core.columns import Column as Choice
from tui.core.columns import metric_order
from tui.core.experiments import Experiment
from tui.core.orders import Arranger, Order
from tui.core.rows import Row
from tui.screens.experiments.baselines import Baselines
from tui.screens.experiments.sparks import WIDTH, Sparks
from tui.settings import ViewState
from tui.widgets.states import INCOMPLETE, LOOKS, running_share
from tui.widgets.table import Cell, Column
from tui.widgets.times import age

_TEST = "test/"  # metrics without a split are those of the test split
_NUM_PARAMS = 4  # before the metrics that vary; the others come behind them
_MAX_COLUMNS = 24  # metrics that are the same in every row fill up to here; the Run screen has all of them


class Listing:
    """Rows for the table; a cell is made when it is seen."""

    def __init__(
        self,
        arranger: Arranger,
        state: ViewState,
        now: datetime,
        sparks: Sparks,
        *,
        is_narrow: bool,
        before: "Listing | None" = None,
    ) -> None:
        """What was worked out for the listing of before is taken over where it still holds."""
        self.catalogue, self.state, self._is_narrow = arranger.catalogue, state, is_narrow
        self._now, self._sparks, self._has_curves = now.replace(second=0, microsecond=0), sparks, sparks.is_any
        self._all, self._choices = self.catalogue.by_key, self.catalogue.by_text
        self._order = Order(state.sort, state.is_turned)
        self._matching = arranger.matching(state.filter)
        arrangement = arranger.arranged(state.filter, self._order, state.is_flat, state.folded)
        self._rows, self.place = arrangement.rows, arrangement.places.get
        asked = self.catalogue, self.main_metric, state.baseline
        known: Baselines | None = before._baselines if before is not None else None
        self._baselines: Baselines = known if known is not None and known.are_for(*asked) else Baselines(*asked)

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
        if self._baselines.is_any:
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
            return self._baselines.cell(one.key, experiment)
        if column == "when":
            return (age(experiment.timestamp, self._now) if experiment.timestamp else "", "muted")
        if column == "curve":
            return (self._sparks.of(one.key, experiment), "muted")
        choice = self._choices[column]
        return choice.format(experiment), "strong" if choice is self.main_metric else ""

    def _name(self, row: Row) -> Cell:
        """The name with its place in the tree and its state."""
        one, flag = row.experiment, "⚑ " if row.key == self.state.baseline else ""
        is_flawed = one.error is not None and one.status in {"done", "not run"}
        look = INCOMPLETE if is_flawed else LOOKS[one.status]
        if one.kind != "experiment":
            fold = "▸" if row.is_folded else "▾" if row.num_children else look.glyph if is_flawed else " "
            count = f" ({row.num_children})" if row.is_folded else ""
            return f"{fold} {flag}{_commit_name(one)}{count}", look.style if is_flawed else "strong"
        indent = "  " * row.depth
        share = [running_share(one.fraction)] if one.fraction is not None else []
        done = "".join(f" {part}" for part in ([one.stage] if one.stage and share else []) + share)
        style = look.style if one.status != "done" else ""
        return f"{indent}{look.glyph} {flag}{one.label}{done}", style

    def find(self, key: str) -> Experiment | None:
        """The experiment with this key, also if it is not shown."""
        return self._all.get(key)

    # Sort

    @property
    def sort_marks(self) -> list[tuple[str, bool]]:
        """By what the rows are sorted, and whether the largest comes first."""
        descends = self._order.descends(self.catalogue)
        return [] if self.state.sort is None or descends is None else [(self.state.sort, descends)]

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

    def to_compare(self, current: Experiment | None) -> list[Experiment]:
        """What is marked, the baseline first; a single one with its baseline."""
        return self._baselines.to_compare([self._all[key] for key in self.state.marks if key in self._all], current)

    # Words

    @property
    def marks(self) -> dict[str, str]:
        """Glyphs of marked rows."""
        return dict.fromkeys(self.state.marks, "●")

    @property
    def counts(self) -> str:
        """How many rows match."""
        keys = self._matching.keys
        return f"{len(self.experiments) if keys is None else len(keys)} of {len(self.experiments)}"

    @property
    def filter_problem(self) -> str:
        """What of the filter was not understood."""
        return self._matching.problem

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
