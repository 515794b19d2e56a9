"""One line with experiment, stage, percent and time left: redrawn on a terminal, repeated elsewhere."""

import shutil
import time
from typing import TextIO

from tui.cli.output import visible
from tui.core.runs import Run, StageProgress

_QUIET_S = 10.0
"""Away from a terminal a line is printed when the stage changes, and at most so often in between."""


class ProgressLine:
    """Shows how far a run is; silent without a stream."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._redraws = stream is not None and stream.isatty()
        self._last_text = ""
        self._last_stage = ""
        self._last_time = 0.0

    def show(self, run: Run) -> None:
        """Draw the state of a run, if there is anything new to say."""
        text = describe(run)
        if self._stream is None or text == self._last_text:
            return
        stage = current_stage(run)
        key = f"{stage.stage}/{stage.status}" if stage else run.status
        if self._redraws:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{text[:width]}")
        elif key != self._last_stage or time.monotonic() - self._last_time > _QUIET_S:
            self._stream.write(text + "\n")
            self._last_time = time.monotonic()
        self._stream.flush()
        self._last_text, self._last_stage = text, key

    def end(self) -> None:
        """Leave the line."""
        if self._stream is not None and self._redraws and self._last_text:
            self._stream.write("\n")
            self._stream.flush()


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
