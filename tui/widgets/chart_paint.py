"""A drawn chart put into terminal lines: title, legend, coloured plot, axes, cross-hair."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

from tui.widgets.chart_legend import GAP, legend, sample_step
from tui.widgets.chart_picture import Picture, runs
from tui.widgets.chart_series import Trace
from tui.widgets.text import cell_width, fit, neutral, shorten

_MIN_HEIGHT_FOR_LEGEND = 9


@dataclass(frozen=True, slots=True)
class Palette:
    """The styles of a chart."""

    base: Style
    title: Style
    axis: Style
    placeholder: Style
    crosshair: Style
    mark: Style
    series: tuple[Style, ...]

    def of(self, trace: Trace, index: int) -> Style:
        """The style of one series."""
        style = self.series[trace.slot(index) % len(self.series)]
        return style + Style(dim=True) if trace.series.faint else style


@dataclass(frozen=True, slots=True)
class Caption:
    """The words of a chart."""

    title: str
    x_label: str
    placeholder: str
    log: bool
    crosshair: float | None
    marks: tuple[float, ...] = ()
    """Steps at which something was seen."""


def heading_height(traces: Sequence[Trace], height: int) -> int:
    """Lines above the plot: the title, and the legend if it deserves a line of its own."""
    has_legend = sum(not trace.series.faint for trace in traces) > 1 and height >= _MIN_HEIGHT_FOR_LEGEND
    return 2 if has_legend else 1


def paint(
    size: Size, picture: Picture | None, traces: Sequence[Trace], caption: Caption, palette: Palette
) -> list[Strip]:
    """All lines of the chart."""
    width, height = size
    if width < 1 or height < 1:
        return []
    if picture is None:
        return _empty(width, height, caption, palette)
    lines = _heading(width, height, traces, caption, palette)
    lines += _plot(picture, traces, caption, palette)
    lines.append(_strip([(picture.x_labels, palette.axis)], width, palette))
    return lines[:height]


def _strip(parts: Sequence[tuple[str, Style]], width: int, palette: Palette) -> Strip:
    return Strip([Segment(text, style) for text, style in parts if text]).adjust_cell_length(width, palette.base)


def _empty(width: int, height: int, caption: Caption, palette: Palette) -> list[Strip]:
    lines = [_strip([], width, palette) for _ in range(height)]
    lines[height // 2] = _strip(
        [(fit(neutral(caption.placeholder), width, "center"), palette.placeholder)], width, palette
    )
    if height > 1:
        lines[0] = _strip([(shorten(_title(caption), width), palette.title)], width, palette)
    return lines


def _title(caption: Caption) -> str:
    return neutral(caption.title) + (" (log)" if caption.log else "")


def _heading(width: int, height: int, traces: Sequence[Trace], caption: Caption, palette: Palette) -> list[Strip]:
    step = sample_step(traces, caption.crosshair)
    right = f"{GAP}{caption.x_label} {step}" if step else ""
    title = shorten(_title(caption), max(width - len(right), width // 2))
    room = width - cell_width(title) - len(right)
    if heading_height(traces, height) == 2:
        first = [(title, palette.title), (" " * room, palette.axis), (right, palette.crosshair)]
        return [_strip(first, width, palette), _strip(_legend(traces, width, caption, palette), width, palette)]
    legend = _legend(traces, room - len(GAP), caption, palette)
    used = sum(cell_width(text) for text, _ in legend)
    middle = [(GAP, palette.axis), *legend, (" " * (room - len(GAP) - used), palette.axis)]
    return [_strip([(title, palette.title), *middle, (right, palette.crosshair)], width, palette)]


def _legend(traces: Sequence[Trace], width: int, caption: Caption, palette: Palette) -> list[tuple[str, Style]]:
    parts = legend(traces, width, caption.crosshair)
    return [(text, palette.axis if index is None else palette.of(traces[index], index)) for text, index in parts]


def _plot(picture: Picture, traces: Sequence[Trace], caption: Caption, palette: Palette) -> list[Strip]:
    box = picture.box
    styles = [*(palette.of(trace, i) for i, trace in enumerate(traces)), palette.axis]
    cell = None if caption.crosshair is None else picture.view.cell_of(caption.crosshair, box.width)
    marked = {at for step in caption.marks if (at := picture.view.cell_of(step, box.width)) is not None}
    lines = []
    for row, (text, owners) in enumerate(zip(picture.rows, picture.owners, strict=True)):
        label = picture.y_labels.get(row)
        margin = "" if not box.left else fit(label or "", box.left - 1, "right") + ("┤" if label else "│")
        segments = [Segment(margin, palette.axis)] if margin else []
        segments += [Segment(text[start:end], styles[owner]) for start, end, owner in runs(owners)]
        strip = Strip(segments, box.left + box.width)
        for at in marked:
            if owners[at] < 0 and at != cell:
                strip = _with_line(strip, box.left + at, "┊" if row else "▾", palette.mark)
        if cell is not None and owners[cell] < 0:
            strip = _with_line(strip, box.left + cell, "┆", palette.crosshair)
        lines.append(strip)
    return lines


def _with_line(strip: Strip, column: int, char: str, style: Style) -> Strip:
    left, _, right = strip.divide([column, column + 1, strip.cell_length])
    return Strip.join([left, Strip([Segment(char, style)], 1), right])
