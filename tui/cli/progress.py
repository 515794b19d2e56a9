"""One line with experiment, stage, percent and time left: redrawn on a terminal, repeated elsewhere."""

import shutil
import time
from collections.abc import Sequence
from typing import TextIO

from tui.core.runs import Run, StageProgress
from tui.core.visible import visible

_QUIET_S = 10.0
"""Away from a terminal a line is printed when the stage changes, and at most so often in between."""


class ProgressLine:
    """Shows how far some runs are; silent without a stream."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._redraws = stream is not None and stream.isatty()
        self._drawn = ""
        self._said: dict[str, tuple[str, float]] = {}

    def show(self, *runs: Run) -> None:
        """Draw the state of the runs, if there is anything new to say."""
        if self._stream is None:
            return
        if self._redraws:
            self._redraw(self._stream, " │ ".join(describe(run) for run in runs))
        else:
            self._repeat(self._stream, runs)
        self._stream.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._stream is not None and self._drawn:
            self._stream.write("\n")
            self._stream.flush()
            self._drawn = ""

    def _redraw(self, stream: TextIO, text: str) -> None:
        if text != self._drawn:
            width = shutil.get_terminal_size().columns - 1
            stream.write(f"\r\x1b[K{text[:width]}")
            self._drawn = text

    def _repeat(self, stream: TextIO, runs: Sequence[Run]) -> None:
        for run in runs:
            stage = current_stage(run)
            state = f"{stage.stage}/{stage.status}" if stage else run.status
            said, when = self._said.get(run.id, ("", 0.0))
            if state != said or (run.is_active and time.monotonic() - when > _QUIET_S):
                stream.write(describe(run) + "\n")
                self._said[run.id] = (state, time.monotonic())


def current_stage(run: Run) -> StageProgress | None:
    """The stage that is running, or the last one that has ended."""
    started = [stage for stage in run.progress if stage.status != "waiting"]
    return next((stage for stage in started if stage.status == "running"), started[-1] if started else None)


def describe(run: Run) -> str:
    """Experiment, stage, percent and time left in one line."""
    stage = current_stage(run)
    if stage is None:
        return f"{visible(run.name)}  {run.status}"
    position = [other.stage for other in run.progress].index(stage.stage) + 1
    parts = [visible(run.name), f"stage {position} of {len(run.progress)} {visible(stage.stage)}", stage.status]
    if stage.status == "running" and stage.fraction is not None:
        parts.append(f"{stage.fraction:4.0%}")
        if stage.left_s is not None:
            parts.append(f"{format_duration(stage.left_s)} left")
    elif stage.elapsed_s:
        parts.append(format_duration(stage.elapsed_s))
    return "  ".join(parts)


def format_duration(seconds: float) -> str:
    """`42 s`, `3:07` or `2:05:00`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
