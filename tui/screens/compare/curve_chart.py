"""The lower half of the Compare screen: one metric of all experiments as curves."""

from collections.abc import Sequence

from tui.screens.compare.curves import Curve, curves_of, overlay
from tui.screens.compare.reading import Reading
from tui.widgets.chart import LineChart


class CurveChart(LineChart):
    """Draws the curves that were chosen, as long as there are any of them."""

    def __init__(self) -> None:
        super().__init__("curves", placeholder="reading the curves…")
        self._reading: Reading | None = None
        self._curve: Curve | None = None
        self._known: Sequence[Curve] = ()

    def show(self, reading: Reading) -> None:
        """Draw what was read now."""
        self._reading, self._known = reading, curves_of(reading.series)
        self._draw()

    @property
    def names(self) -> list[str]:
        """Stage and name of every curve."""
        return [f"{stage}  {name}" for stage, name in self._known]

    @property
    def place(self) -> int | None:
        """Place of the drawn one."""
        return self._known.index(self._curve) if self._curve in self._known else None

    def choose(self, place: int) -> None:
        """Draw another one."""
        self._curve = self._known[place]
        self._draw()

    def choose_metric(self, name: str) -> bool:
        """Draw the curves of a metric; whether there are any."""
        curve = next((one for one in self._known if one[1] == name), None)
        if curve is not None:
            self.choose(self._known.index(curve))
        return curve is not None

    def _draw(self) -> None:
        if self.place is None:
            self._curve = self._known[0] if self._known else None
        reading, curve = self._reading, self._curve
        if reading is None or curve is None:
            self.title, self.placeholder = "curves", "no curves in the local cache"
            self.set_series(())
            return
        place = f"  {self._known.index(curve) + 1} of {len(self._known)}" if len(self._known) > 1 else ""
        self.title = f"{curve[0]}  {curve[1]}{place}"
        self.set_series(overlay(reading.experiments, reading.series, curve))
