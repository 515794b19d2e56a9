"""The stages of a run: state, bar, percent, steps, time left."""

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.core.runs import StageProgress
from tui.widgets.states import LOOKS, running_share
from tui.widgets.text import cell_width, fit, neutral
from tui.widgets.times import duration

_NAME_WIDTH = 10
_GAP, _INDENT = "  ", 5
_MAX_BAR_WIDTH = 40
_LOW = 30
"""A screen with fewer lines has no room for a line for each stage."""
_QUIET = {"waiting", "cached", "done"}
_TRIVIAL_S = 1.0
"""A stage that took less did nothing but hand something on."""


class StageList(Widget):
    """One line per stage, where lines are few one for several; the stage whose charts are shown is marked."""

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
        self._groups: list[list[StageProgress]] = []

    def show(self, stages: Sequence[StageProgress], chosen: str | None) -> None:
        """Show these; nothing is drawn when they look as before."""
        self._stages, self._chosen = tuple(stages), chosen
        lines = self._draw()
        if [line.plain for line in lines] != [line.plain for line in self._lines]:
            grown = len(lines) != len(self._lines)
            self._lines = lines
            self.refresh(layout=grown)

    def on_resize(self) -> None:
        """The bars follow the width."""
        num = len(self._lines)
        self._lines = self._draw()
        self.refresh(layout=len(self._lines) != num)

    def render(self) -> Content:
        """The lines."""
        return Content("\n").join(self._lines)

    def on_click(self, event: events.Click) -> None:
        """Choose the stage under the pointer."""
        if event.y < len(self._groups):
            self.post_message(self.Chosen(_at(self._groups[event.y], event.x).stage))

    def _draw(self) -> list[Content]:
        bar_width = max(6, min(_MAX_BAR_WIDTH, self.size.width - 50))
        is_low = self.app.size.height < _LOW
        self._groups = grouped(self._stages, self._chosen) if is_low else [[stage] for stage in self._stages]
        return [
            group_line(group)
            if len(group) > 1
            else stage_line(group[0], bar_width, chosen=group[0].stage == self._chosen)
            for group in self._groups
        ]


def grouped(stages: Sequence[StageProgress], chosen: str | None) -> list[list[StageProgress]]:
    """Neighbours that wait, are up to date or done, in groups; every other stage alone."""
    groups: list[list[StageProgress]] = []
    for stage in stages:
        last = groups[-1][-1] if groups else None
        joins = last is not None and stage.status == last.status and stage.status in _QUIET
        if joins and last is not None and chosen not in {stage.stage, last.stage}:
            groups[-1].append(stage)
        else:
            groups.append([stage])
    return groups


def _is_trivial(stage: StageProgress) -> bool:
    return stage.status == "done" and stage.elapsed_s < _TRIVIAL_S


def group_line(group: Sequence[StageProgress]) -> Content:
    """Several stages of one state as a line."""
    look = LOOKS[group[0].status]
    names = _GAP.join(map(_name, group))
    return Content.assemble("  ", (f"{look.glyph} ", look.colour), names, _GAP, (look.word, "dim"))


def _name(stage: StageProgress) -> str:
    """Its name among others, with the time that it took if that is worth telling."""
    time = f" {duration(stage.elapsed_s)}" if stage.status == "done" and not _is_trivial(stage) else ""
    return f"{neutral(stage.stage)}{time}"


def _at(group: Sequence[StageProgress], x: int) -> StageProgress:
    """The stage of a line that is below the pointer."""
    end = _INDENT
    for stage in group:
        end += cell_width(_name(stage)) + len(_GAP)
        if x < end:
            return stage
    return group[-1]


def stage_line(progress: StageProgress, bar_width: int, *, chosen: bool) -> Content:
    """One stage as a line."""
    look = LOOKS[progress.status]
    is_trivial = _is_trivial(progress)
    name = fit(neutral(progress.stage), _NAME_WIDTH)
    return Content.assemble(
        ("▸ " if chosen else "  ", "bold"),
        (f"{look.glyph} ", look.colour),
        (name, "bold" if chosen else "dim" if is_trivial else ""),
        " ",
        *_bar(progress, bar_width),
        " ",
        (_numbers(progress), "" if progress.status == "running" else "dim"),
    )


def _bar(progress: StageProgress, width: int) -> tuple[tuple[str, str], tuple[str, str]]:
    if _is_trivial(progress):
        return (" " * width, ""), ("", "")
    filled = round((progress.fraction or 0.0) * width)
    return ("━" * filled, LOOKS[progress.status].colour), ("╌" * (width - filled), "dim")


def _numbers(progress: StageProgress) -> str:
    word = LOOKS[progress.status].word
    if _is_trivial(progress):
        return word
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
