"""What the home screen shows of the experiments: which rows and columns, in which order, and every cell."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from tui.core.experiments import Experiment, flat_values
from tui.core.rows import Row, arrange, row_key
from tui.settings import ViewState
from tui.widgets.states import LOOKS
from tui.widgets.table import Cell, Column
from tui.widgets.times import age


class Listing:
    """Rows for the table; cells are made when they are seen."""

    def __init__(self, experiments: Sequence[Experiment], state: ViewState, now: datetime) -> None:
        self.experiments = experiments
        self._state, self._now = state, now
        self.filter_problem = ""
        self._values = {id(e): {**flat_values(e.params), **flat_values(e.metrics)} for e in experiments}
        self.main_metric = state.main_metric or next((k for e in experiments for k in flat_values(e.metrics)), None)
        keys = list(dict.fromkeys(k for e in experiments for k in flat_values(e.metrics)))
        self.columns = [
            Column("name", "name", max_width=32),
            *(Column(key, key, "right", max_width=20) for key in keys),
            Column("when", "when"),
        ]
        words = state.filter.split()
        key = state.sort
        self._rows = arrange(
            experiments,
            lambda e: all(word in e.label for word in words),
            None if key is None else (lambda e: (self._value(e, key) is None, self._value(e, key))),
            is_flat=state.is_flat,
            folded=state.folded,
        )
        self._by_key = {row.key: row.experiment for row in self._rows}

    def _value(self, e, key):
        return self._values[id(e)].get(key)

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
        if column == "name":
            return _name(one)
        if column == "when":
            return (age(one.experiment.timestamp, self._now), "muted") if one.experiment.timestamp else ""
        value = self._value(one.experiment, column)
        return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)

    def find(self, key: str) -> Experiment | None:
        return self._by_key.get(key)

    def is_like(self, other: "Listing") -> bool:
        return False

    placeholder = "nothing matches"
    sort_marks: tuple = ()
    is_without_experiments = False
    counts = ""
    title = "Experiments"

    @property
    def marks(self) -> Mapping[str, str]:
        return {key: "✱" for key in self._state.marks}

    def next_sort(self):
        return None

    def next_metric(self):
        return None

    def to_compare(self, current):
        return [e for e in self.experiments if row_key(e) in self._state.marks]


def _name(row: Row) -> Cell:
    """The name with its place in the tree and its state."""
    one = row.experiment
    look = LOOKS[one.status]
    if one.kind == "experiment":
        percent = f" {one.fraction:.0%}" if one.fraction is not None else ""
        return f"{'  ' * row.depth}{look.glyph} {one.label}{percent}", look.style if one.status != "done" else ""
    fold = "▸" if row.is_folded else "▾" if row.num_children else " "
    return f"{fold} {one.label}", "strong"
