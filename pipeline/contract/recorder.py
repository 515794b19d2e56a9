"""The recorder: series, metrics and run record of one stage, whatever its end is."""

import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from types import TracebackType
from typing import Any, Self

from pipeline.contract import paths
from pipeline.contract.files import write_json, write_text
from pipeline.contract.launching import own_folder
from pipeline.contract.main import terminate
from pipeline.contract.run_record import RunRecord
from pipeline.contract.series import (
    STEP,
    TIME,
    Event,
    decode_events,
    decode_points,
    encode_event,
    encode_point,
    encode_table,
    finite,
)
from pipeline.contract.stages import STAGES

_LIBRARIES = ("torch", "transformers", "trl", "peft", "polars")
_CANCELLED = (KeyboardInterrupt, SystemExit)


class StageRecorder:
    """Context manager around the work of one stage.

    Entering writes run.json with status `running` and empties series.jsonl; leaving writes the final status:
    `done` after `finish`, `cancelled` after SIGINT or SIGTERM, `failed` with the error otherwise. Paths are
    relative to the working directory, which is the project's root.
    """

    def __init__(self, stage: str, seed: int | None = None) -> None:
        self.directory = own_folder(stage)
        self.record = RunRecord(stage, seed=seed)
        self._has_curves = next((known.has_curves for known in STAGES if known.name == stage), True)
        self._start = time.monotonic()
        self._finished = False
        self._series = -1
        self._num_before = self._num_after = 0
        self._previous_handler: Any = None

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        record = self.record
        record.started_at = _now()
        record.pid, record.process_started = os.getpid(), _process_started()
        record.revision, record.dirty = _revision()
        record.versions = _versions()
        record.write(self.directory / paths.RUN_RECORD_NAME)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._series = os.open(self.directory / paths.SERIES_NAME, flags, 0o644)
        self._previous_handler = signal.signal(signal.SIGTERM, terminate)
        return self

    def plan(self, num_steps: int, device: str = "cpu") -> None:
        """Say how many steps the stage will take, and where it runs; from then on a reader can show time left."""
        self.record.num_steps = self._num_before + num_steps + self._num_after
        self.record.device = device
        self.record.write(self.directory / paths.RUN_RECORD_NAME)

    def begin_part(self, num_before: int, num_after: int) -> None:
        """What is planned and logged next is a part of the work: so many steps came before it, so many will follow."""
        self._num_before, self._num_after = num_before, num_after

    def log(self, step: int, metrics: Mapping[str, float | None] | None = None) -> None:
        """Append one point with a single write: a reader never sees two halves of different lines."""
        self.record.step = step = self._num_before + step
        os.write(self._series, encode_point(step, time.monotonic() - self._start, metrics or {}))

    def note(self, step: int, event: str, action: str, message: str) -> None:
        """Append an event: something was seen at this step."""
        seen = Event(self._num_before + step, time.monotonic() - self._start, event, action, message)
        os.write(self._series, encode_event(seen))

    def restore(self, series: bytes) -> None:
        """Go on with the series of an interrupted run of the same work, in place of what this one has logged so far."""
        os.ftruncate(self._series, 0)
        os.write(self._series, series)
        last = max(decode_points(series), key=lambda point: point[STEP] or 0, default=None)
        if last is not None:
            self.record.step = int(last[STEP] or 0)
            # The time before the interruption counts, not the time between.
            self._start = min(self._start, time.monotonic() - (last[TIME] or 0))

    def series(self) -> bytes:
        """Everything that was logged so far, as `restore` takes it."""
        return (self.directory / paths.SERIES_NAME).read_bytes()

    def finish(self, metrics: Mapping[str, Any], resources: Mapping[str, float | int | None]) -> None:
        """Write the final scalars: what the params and the seed decide, and apart from it what the machine decides."""
        write_json(self.directory / paths.METRICS_NAME, _clean(metrics))
        measured = {"duration_s": round(time.monotonic() - self._start, 3), "peak_memory_bytes": _peak_memory()}
        measured.update({name: value for name, value in resources.items() if value is not None})
        self.record.peak_memory_bytes = int(measured["peak_memory_bytes"])
        named = {f"{self.record.stage}/{name}": value for name, value in measured.items()}
        write_json(self.directory / paths.RESOURCES_NAME, _clean(named))
        self._finished = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTERM, self._previous_handler)
        record = self.record
        record.ended_at, record.duration_s = _now(), round(time.monotonic() - self._start, 3)
        record.peak_memory_bytes = record.peak_memory_bytes or _peak_memory()
        record.status = _status(kind, self._finished)
        record.error = None if error is None or record.status == "cancelled" else str(error) or type(error).__name__
        try:
            self._write_end()
        except OSError:
            # A full disk must not hide why the stage ended.
            if error is None:
                raise

    def _write_end(self) -> None:
        """Write the record first: of all that is written here it is the smallest, and it tells most."""
        path = self.directory / paths.RUN_RECORD_NAME
        try:
            self.record.write(path)
        finally:
            os.close(self._series)
        try:
            if self._has_curves:
                self._write_table()
        except OSError as problem:
            if self.record.status == "done":
                self.record.status, self.record.error = "failed", str(problem)
                self.record.write(path)
            raise

    def _write_table(self) -> None:
        series = self.series()
        table = encode_table(list(decode_points(series)), list(decode_events(series)))
        write_text(self.directory / paths.SERIES_TABLE_NAME, table)


def _status(kind: type[BaseException] | None, finished: bool) -> Any:
    if kind is None:
        return "done" if finished else "failed"
    return "cancelled" if issubclass(kind, _CANCELLED) else "failed"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _clean(value: Any) -> Any:
    """JSON knows no NaN: non-finite numbers become null."""
    if isinstance(value, Mapping):
        return {name: _clean(item) for name, item in value.items()}
    return finite(value) if isinstance(value, float) else value


def _peak_memory() -> int:
    """Peak resident memory of this process in bytes; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _process_started() -> float:
    """Start time of this process in seconds since the epoch, as psutil gives it."""
    import psutil

    return float(psutil.Process().create_time())


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _revision() -> tuple[str | None, bool | None]:
    """HEAD of the project and whether tracked files differ from it; nothing outside a Git repository."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return None, None
    return head, bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603, S607 - git from the PATH, no shell
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
