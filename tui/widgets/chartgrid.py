"""Charts side by side: as many as there is room for, the others on further pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Grid

from tui.widgets.chart import ChartSeries, LineChart

_MIN_WIDTH, _MIN_HEIGHT = 38, 8
_MAX_COLUMNS, _MAX_ROWS = 3, 3


@dataclass(frozen=True, slots=True, eq=False)
class ChartSpec:
    """What one chart shows."""

    title: str
    series: tuple[ChartSeries, ...]
    marks: tuple[float, ...] = ()
    """Steps at which something was seen."""


class ChartGrid(Grid):
    """A page of charts with one cross-hair."""

    DEFAULT_CSS = "ChartGrid { grid-gutter: 0 2; }"
    can_focus = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._specs: Sequence[ChartSpec] = ()
        self._page = 0
        self._log = False

    def compose(self) -> ComposeResult:
        """All charts that could ever be shown; most of them are hidden."""
        for _ in range(_MAX_COLUMNS * _MAX_ROWS):
            chart = LineChart()
            chart.display = False
            yield chart

    def show(self, specs: Sequence[ChartSpec]) -> None:
        """Show these charts."""
        self._specs = specs
        self._place()

    def on_resize(self) -> None:
        """More or fewer charts fit."""
        self._place()

    def next_page(self) -> None:
        """Show the charts that did not fit; after the last ones the first again."""
        self._page += 1
        self._place()

    def toggle_log(self) -> None:
        """Switch all y axes between linear and logarithmic."""
        self._log = not self._log
        self._place()

    @property
    def page_text(self) -> str:
        """Which charts are shown; empty if all are."""
        size = self._page_size()
        if len(self._specs) <= size:
            return ""
        first = self._page * size
        return f"{first + 1}-{min(first + size, len(self._specs))} of {len(self._specs)}"

    def _columns_and_rows(self) -> tuple[int, int]:
        width, height = self.size
        columns = max(1, min(_MAX_COLUMNS, width // _MIN_WIDTH, max(1, len(self._specs))))
        num = max(1, len(self._specs))
        rows = max(1, min(_MAX_ROWS, height // _MIN_HEIGHT, -(-num // columns)))
        return min(columns, -(-num // rows)), rows

    def _page_size(self) -> int:
        columns, rows = self._columns_and_rows()
        return columns * rows

    def _place(self) -> None:
        if not self.size.width:
            return
        columns, rows = self._columns_and_rows()
        size = columns * rows
        num_pages = max(1, -(-len(self._specs) // size))
        self._page %= num_pages
        self.styles.grid_size_columns, self.styles.grid_size_rows = columns, rows
        shown = self._specs[self._page * size : (self._page + 1) * size]
        for index, chart in enumerate(self.query(LineChart)):
            chart.display = index < max(1, len(shown))
            spec = shown[index] if index < len(shown) else None
            chart.title = spec.title if spec else ""
            chart.log_scale = self._log
            chart.set_series(spec.series if spec else ())
            chart.marks = spec.marks if spec else ()

    @on(LineChart.Hovered)
    def _share(self, message: LineChart.Hovered) -> None:
        for chart in self.query(LineChart):
            chart.crosshair = message.step
