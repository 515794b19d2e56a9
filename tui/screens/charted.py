"""A table with a chart: which metric is drawn, how, and where the keys go."""

from collections.abc import Sequence
from typing import TypeVar

from tui.screens.pick import Pick
from tui.screens.reading import ReadingScreen
from tui.widgets.chart import LineChart
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral

Value = TypeVar("Value")


class ChartedScreen(ReadingScreen[Value]):
    """One of several metrics is drawn; the screen knows which there are."""

    choice_title = "Metric"

    def choices(self) -> tuple[Sequence[str], int | None]:
        """Names of all metrics, and the place of the one that is drawn."""
        raise NotImplementedError

    def choose(self, place: int) -> None:
        """Draw another one."""
        raise NotImplementedError

    @property
    def chart(self) -> LineChart:
        """The chart."""
        return self.query_one(LineChart)

    @property
    def table(self) -> VirtualTable:
        """The table."""
        return self.query_one(VirtualTable)

    def is_available(self, action: str) -> bool:
        """Without others there is nothing to step to."""
        if action in {"next_metric", "previous_metric", "choose_metric"}:
            return len(self.choices()[0]) > 1
        return super().is_available(action)

    def action_next_metric(self) -> None:
        """Draw the next metric."""
        self._step(1)

    def action_previous_metric(self) -> None:
        """Draw the metric before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        names, place = self.choices()
        if place is not None:
            self.choose((place + by) % len(names))

    def action_choose_metric(self) -> None:
        """Choose the metric from a list."""
        names, place = self.choices()
        if names:
            rows = [(neutral(name), "") for name in names]
            self.app.push_screen(Pick(self.choice_title, rows, place or 0), self._chosen_from_list)

    def _chosen_from_list(self, place: int | None) -> None:
        if place is not None:
            self.choose(place)

    def action_toggle_log(self) -> None:
        """Switch the y axis."""
        self.chart.log_scale = not self.chart.log_scale

    def action_toggle_chart(self) -> None:
        """Show or hide the chart."""
        self.chart.display = not self.chart.display
        if not self.chart.display:
            self.table.focus()

    def action_switch_focus(self) -> None:
        """Between table and chart."""
        (self.chart if self.table.has_focus and self.chart.display else self.table).focus()
