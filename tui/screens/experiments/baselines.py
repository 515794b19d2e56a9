"""What every experiment is compared against, and how its main metric has changed."""

from functools import cached_property

from tui.core.catalogue import Catalogue
from tui.core.columns import Column
from tui.core.comparison import MetricCell, metric_cell
from tui.core.experiments import Experiment
from tui.widgets.deltas import delta_cell
from tui.widgets.table import Cell


class Baselines:
    """Changes against the pinned baseline, or against the commit that an experiment was started from."""

    def __init__(self, catalogue: Catalogue, main: Column | None, pinned: str | None) -> None:
        """Takes the main metric, and the key of the pinned baseline."""
        self._asked = catalogue, main, pinned
        self._all, self._main = catalogue.by_key, main
        self._pinned = self._all.get(pinned or "")
        self._known: dict[str, MetricCell] = {}

    def are_for(self, catalogue: Catalogue, main: Column | None, pinned: str | None) -> bool:
        """Whether others for these would be the same."""
        return self._asked == (catalogue, main, pinned)

    @cached_property
    def is_any(self) -> bool:
        """Whether anything changed, as far as can be told."""
        if self._main is None:
            return False
        return any(self._change(key, experiment).delta is not None for key, experiment in self._all.items())

    def of(self, experiment: Experiment) -> Experiment | None:
        """The baseline of an experiment."""
        return self._pinned if self._pinned is not None else self._all.get(experiment.baseline or "")

    def cell(self, key: str, experiment: Experiment) -> Cell:
        """How the change of the main metric is shown."""
        return delta_cell(self._change(key, experiment), self._main.text if self._main is not None else "")

    def _change(self, key: str, experiment: Experiment) -> MetricCell:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._compare(experiment)
        return found

    def _compare(self, experiment: Experiment) -> MetricCell:
        baseline, main = self.of(experiment), self._main
        if baseline is None or baseline is experiment or main is None or main.key is None:
            return MetricCell(None, None, "none")
        return metric_cell(main.key.value(experiment), main.key.value(baseline), main.direction, main.text)

    def to_compare(self, marked: list[Experiment], current: Experiment | None) -> list[Experiment]:
        """What is marked, the baseline first; a single one with its baseline."""
        chosen = marked or ([current] if current is not None else [])
        if len(chosen) == 1:
            baseline = self.of(chosen[0])
            return [baseline, *chosen] if baseline is not None and baseline is not chosen[0] else chosen
        if self._pinned in chosen:
            return [self._pinned, *(one for one in chosen if one is not self._pinned)]
        return chosen
