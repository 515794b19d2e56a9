"""The lower half of the Compare screen: one metric of all experiments as curves."""

from tui.screens.base import PollingScreen
from tui.screens.compare.curves import Curve, curves_of, overlay
from tui.screens.compare.reading import Reading
from tui.screens.dialogs import Choose
from tui.widgets.chart import LineChart
from tui.widgets.text import neutral


class ChartedScreen(PollingScreen[None]):
    """A screen with curves below something else."""

    _reading: Reading
    _is_read = False
    _curve: Curve | None = None

    def show_chart(self) -> None:
        """Draw the chosen curves, or the first ones."""
        chart, reading = self.query_one(LineChart), self._reading
        known = curves_of(reading.series)
        if self._curve not in known:
            self._curve = known[0] if known else None
        if self._curve is None:
            chart.title = "curves"
            chart.placeholder = "no curves in the local cache" if self._is_read else "reading the curves…"
            chart.set_series(())
            return
        place = f"  {known.index(self._curve) + 1} of {len(known)}"
        chart.title = f"{self._curve[0]}  {self._curve[1]}{place}"
        chart.set_series(overlay(reading.experiments, reading.series, self._curve))

    def show_curves_of(self, name: str) -> bool:
        """Draw the curves of a metric; whether there are any."""
        curve = next((one for one in curves_of(self._reading.series) if one[1] == name), None)
        if curve is None:
            return False
        self._curve = curve
        self.show_chart()
        return True

    def action_next_metric(self) -> None:
        """Curves of the next metric."""
        self._step_metric(1)

    def action_previous_metric(self) -> None:
        """Curves of the previous metric."""
        self._step_metric(-1)

    def _step_metric(self, by: int) -> None:
        known = curves_of(self._reading.series)
        if self._curve in known:
            self._curve = known[(known.index(self._curve) + by) % len(known)]
            self.show_chart()

    def action_choose_metric(self) -> None:
        """Choose curves from a list."""
        known = curves_of(self._reading.series)
        if not known:
            return
        names = [neutral(f"{stage}  {name}") for stage, name in known]
        current = known.index(self._curve) if self._curve in known else None
        self.app.push_screen(Choose("Curves of", names, current), self._chosen)

    def _chosen(self, index: int | None) -> None:
        if index is not None:
            self._curve = curves_of(self._reading.series)[index]
            self.show_chart()

    def action_toggle_log(self) -> None:
        """Switch the y axis."""
        chart = self.query_one(LineChart)
        chart.log_scale = not chart.log_scale
