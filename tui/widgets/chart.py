"""A line chart in braille: many series, linear or logarithmic, with zoom, pan and a cross-hair."""

from collections.abc import Sequence
from typing import ClassVar

from numpy.typing import ArrayLike
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.chart_paint import Caption, Palette, heading_height, paint
from tui.widgets.chart_picture import Picture, draw
from tui.widgets.chart_series import ChartSeries, Trace
from tui.widgets.chart_style import COMPONENTS, CSS
from tui.widgets.chart_view import View, Zoom, panned, whole_view, zoomed
from tui.widgets.ink import ink

__all__ = ["ChartSeries", "LineChart"]


class LineChart(Widget, can_focus=True):
    """Draws the series that it was given; posts `Hovered` so that neighbours can share the cross-hair."""

    DEFAULT_CSS = CSS
    COMPONENT_CLASSES: ClassVar[set[str]] = set(COMPONENTS)

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "zoom(0.5)", "Zoom in", show=False),
        Binding("minus", "zoom(2)", "Zoom out", show=False),
        Binding("left_square_bracket", "pan(-0.25)", "Pan left", show=False),
        Binding("right_square_bracket", "pan(0.25)", "Pan right", show=False),
        Binding("0", "reset_view", "Whole range", show=False),
        Binding("l", "toggle_log", "Log scale", show=False),
        Binding("comma", "move_crosshair(-1)", "Cross-hair left", show=False),
        Binding("full_stop", "move_crosshair(1)", "Cross-hair right", show=False),
    ]

    class Hovered(Message):
        """The cross-hair is at another step (None: it is gone)."""

        def __init__(self, chart: "LineChart", step: float | None) -> None:
            super().__init__()
            self.chart = chart
            self.step = step

        @property
        def control(self) -> "LineChart":
            """The chart that sent the message."""
            return self.chart

        def can_replace(self, message: Message) -> bool:
            """Only the newest position counts."""
            return isinstance(message, LineChart.Hovered) and message.chart is self.chart

    def __init__(
        self,
        title: str = "",
        *,
        log: bool = False,
        x_label: str = "step",
        placeholder: str = "no points yet",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._title, self._x_label, self._placeholder = title, x_label, placeholder
        self._traces: list[Trace] = []
        self._log = log
        self._zoom: Zoom | None = None
        self._crosshair: float | None = None
        self._marks: tuple[float, ...] = ()
        self._picture: Picture | None = None
        self._drawn_for: Size | None = None
        self._strips: list[Strip] = []
        self._strips_stale = True
        self._repaint_due = False

    # Data

    @property
    def series(self) -> tuple[ChartSeries, ...]:
        """The series as they were set, without what was appended."""
        return tuple(trace.series for trace in self._traces)

    def set_series(self, series: Sequence[ChartSeries]) -> None:
        """Show these series; nothing is drawn again if they look like the old ones."""
        traces = [self._trace(i, one) for i, one in enumerate(series)]
        same = len(traces) == len(self._traces) and all(
            new is old or old.looks_like(new) for new, old in zip(traces, self._traces, strict=True)
        )
        if not same:
            self._traces = traces
            self._redraw()

    def _trace(self, index: int, series: ChartSeries) -> Trace:
        old = self._traces[index] if index < len(self._traces) else None
        return old if old is not None and old.is_of(series) else Trace(series)

    def append(self, index: int, steps: ArrayLike, values: ArrayLike) -> None:
        """Add points to one series without handing over the others again."""
        if self._traces[index].append(steps, values):
            self._redraw()

    @property
    def title(self) -> str:
        """The name above the chart."""
        return self._title

    @title.setter
    def title(self, title: str) -> None:
        if title != self._title:
            self._title = title
            self._repaint_later()

    @property
    def placeholder(self) -> str:
        """Why there is nothing to see."""
        return self._placeholder

    @placeholder.setter
    def placeholder(self, placeholder: str) -> None:
        if placeholder != self._placeholder:
            self._placeholder = placeholder
            self._repaint_later()

    @property
    def marks(self) -> tuple[float, ...]:
        """Steps at which something was seen; each is a thin line."""
        return self._marks

    @marks.setter
    def marks(self, marks: tuple[float, ...]) -> None:
        if marks != self._marks:
            self._marks = marks
            self._repaint_later()

    @property
    def log_scale(self) -> bool:
        """Whether the y axis is logarithmic."""
        return self._log

    @log_scale.setter
    def log_scale(self, log: bool) -> None:
        if log != self._log:
            self._log = log
            self._redraw()

    # View

    @property
    def view(self) -> View:
        """The range of steps shown; a zoomed view whose end is the end of the data follows it."""
        whole = whole_view(self._traces)
        return whole if self._zoom is None else self._zoom.within(whole)

    def _set_zoom(self, zoom: Zoom | None) -> None:
        if zoom != self._zoom:
            self._zoom = zoom
            self._redraw()

    def action_zoom(self, factor: float) -> None:
        """Show less or more around the cross-hair, or else towards the newest points."""
        self._set_zoom(zoomed(whole_view(self._traces), self.view, factor, self._crosshair))

    def action_pan(self, part: float) -> None:
        """Move by a part of what is shown."""
        self._set_zoom(panned(whole_view(self._traces), self.view, part))

    def action_reset_view(self) -> None:
        """Show everything again."""
        self._set_zoom(None)

    def action_toggle_log(self) -> None:
        """Switch between a linear and a logarithmic y axis."""
        self.log_scale = not self._log

    # Cross-hair

    @property
    def crosshair(self) -> float | None:
        """The step whose values are read out."""
        return self._crosshair

    @crosshair.setter
    def crosshair(self, step: float | None) -> None:
        if step != self._crosshair:
            self._crosshair = step
            self._repaint_later()

    def action_move_crosshair(self, cells: int) -> None:
        """Move the cross-hair by cells; it starts at the right border."""
        if self._picture is None:
            return
        view, width = self._picture.view, self._picture.box.width
        cell = None if self._crosshair is None else view.cell_of(self._crosshair, width)
        start = width if cell is None else cell
        self._hover(view.step_at(max(0, min(width - 1, start + cells)), width))

    def _hover(self, step: float | None) -> None:
        if step != self._crosshair:
            self.crosshair = step
            self.post_message(self.Hovered(self, step))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Read out the values under the pointer."""
        offset, picture = event.get_content_offset(self), self._picture
        cell = -1 if picture is None or offset is None else offset.x - picture.box.left
        if picture is not None and 0 <= cell < picture.box.width:
            self._hover(picture.view.step_at(cell, picture.box.width))
        else:
            self._hover(None)

    def on_leave(self) -> None:
        """The pointer is gone, and the cross-hair with it."""
        self._hover(None)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in; only with focus, so that a page of charts can be scrolled."""
        if self.has_focus:
            event.stop()
            self.action_zoom(0.8)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out."""
        if self.has_focus:
            event.stop()
            self.action_zoom(1.25)

    # Painting

    def _redraw(self) -> None:
        self._drawn_for = None
        self._repaint_later()

    def _repaint_later(self) -> None:
        self._strips_stale = True
        if self.is_attached and not self._repaint_due:
            self._repaint_due = self.call_later(self._repaint)

    def _repaint(self) -> None:
        """Paint the lines that differ; several changes at a time are painted once."""
        self._repaint_due = False
        old = self._strips
        if not self.is_on_screen or len(new := self._lines()) != len(old):
            self.refresh()
            return
        width = self.size.width
        changed = [Region(0, y, width, 1) for y, strip in enumerate(new) if strip != old[y]]
        if changed:
            self.refresh(*changed)

    def notify_style_update(self) -> None:
        """Colours may have changed: the theme, or the focus."""
        super().notify_style_update()
        self._strips_stale = True

    def render_line(self, y: int) -> Strip:
        """One line of the chart."""
        lines = self._lines()
        return lines[y] if y < len(lines) else Strip.blank(self.size.width, self.rich_style)

    def _lines(self) -> list[Strip]:
        size = self.size
        if self._drawn_for != size:
            top = heading_height(self._traces, size.height)
            self._picture = draw(self._traces, self.view, size, top, log=self._log)
            self._drawn_for, self._strips_stale = size, True
        if self._strips_stale:
            caption = Caption(self._title, self._x_label, self._placeholder, self._log, self._crosshair, self._marks)
            self._strips = paint(size, self._picture, self._traces, caption, self._palette())
            self._strips_stale = False
        return self._strips

    def _palette(self) -> Palette:
        base = self.rich_style  # with a background: a terminal's own may be the opposite of the theme's
        title, axis, placeholder, crosshair, mark, *series = (base + ink(self, name) for name in COMPONENTS)
        return Palette(base, title, axis, placeholder, crosshair, mark, tuple(series))
