"""The stages of a run: state, bar, percent, steps, time left."""

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.core.runs import StageProgress
from tui.widgets.states import LOOKS, running_share
from tui.widgets.text import fit, neutral
from tui.widgets.times import duration

_NAME_WIDTH = 10
_MAX_BAR_WIDTH = 40


class StageList(Widget):
    """One line per stage; the one whose charts are shown is marked; a click chooses another."""

    DEFAULT_CSS = """
    StageList { height: auto; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    class Chosen(Message):
        """A stage was clicked."""

        def __init__(self, stage: str) -> None:
            super().__init__()
            self.stage = stage

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._stages: tuple[StageProgress, ...] = ()
        self._chosen: str | None = None
        self._lines: list[Content] = []

    def show(self, stages: Sequence[StageProgress], chosen: str | None) -> None:
        """Show these; nothing is drawn when they look as before."""
        grown = len(stages) != len(self._stages)
        self._stages, self._chosen = tuple(stages), chosen
        lines = self._draw()
        if [line.plain for line in lines] != [line.plain for line in self._lines]:
            self._lines = lines
            self.refresh(layout=grown)

    def on_resize(self) -> None:
        """The bars follow the width."""
        self._lines = self._draw()
        self.refresh()

    def render(self) -> Content:
        """The lines."""
        return Content("\n").join(self._lines)

    def on_click(self, event: events.Click) -> None:
        """Choose the stage under the pointer."""
        if event.y < len(self._stages):
            self.post_message(self.Chosen(self._stages[event.y].stage))

    def _draw(self) -> list[Content]:
        bar_width = max(6, min(_MAX_BAR_WIDTH, self.size.width - 50))
        return [stage_line(stage, bar_width, chosen=stage.stage == self._chosen) for stage in self._stages]


def stage_line(progress: StageProgress, bar_width: int, *, chosen: bool) -> Content:
    """One stage as a line."""
    look = LOOKS[progress.status]
    name = fit(neutral(progress.stage), _NAME_WIDTH)
    return Content.assemble(
        ("▸ " if chosen else "  ", "bold"),
        (f"{look.glyph} ", look.colour),
        (name, "bold" if chosen else ""),
        " ",
        *_bar(progress, bar_width),
        " ",
        (_numbers(progress), "" if progress.status == "running" else "dim"),
    )


def _bar(progress: StageProgress, width: int) -> tuple[tuple[str, str], tuple[str, str]]:
    filled = round((progress.fraction or 0.0) * width)
    return ("━" * filled, LOOKS[progress.status].colour), ("╌" * (width - filled), "dim")


def _numbers(progress: StageProgress) -> str:
    word = LOOKS[progress.status].word
    if progress.status == "done":
        return f"{word} in {duration(progress.elapsed_s)}"
    if progress.status != "running":
        return word
    fraction, left = progress.fraction, progress.left_s
    parts = [duration(progress.elapsed_s)] if fraction is None else [f"{running_share(fraction):>4}"]
    if progress.num_steps:
        parts.append(f"{progress.step:,}/{progress.num_steps:,}")
    if left is not None:
        parts.append(f"{duration(left)} left")
    return "  ".join(parts)
