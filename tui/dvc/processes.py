"""Which processes belong to a run, whether they live, and how they are ended."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress

import psutil

from tui.dvc.environment import RUN_ID

_CLOCK_TOLERANCE_S = 2.0


def identify(pid: int) -> list[float] | None:
    """Process id and start time; None when it is gone."""
    try:
        return [pid, psutil.Process(pid).create_time()]
    except psutil.Error:
        return None


def is_alive(known: Sequence[float] | None) -> bool:
    """Whether the very process that was identified lives; its id alone may have passed to another one."""
    if known is None:
        return False
    try:
        process = psutil.Process(int(known[0]))
        same = abs(process.create_time() - known[1]) < _CLOCK_TOLERANCE_S
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def family(run_id: str) -> list[psutil.Process]:
    """All living processes of a run, wherever they have moved to."""
    members = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(RUN_ID) == run_id and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return [process for process in members if process.pid != os.getpid()]


def leader(run_id: str) -> list[float] | None:
    """The process that leads a run's group, found without a record of it."""
    leaders: list[list[float]] = []
    for process in family(run_id):
        with suppress(ProcessLookupError, psutil.Error):
            if os.getpgid(process.pid) == process.pid:
                leaders.append([process.pid, process.create_time()])
    return min(leaders, key=lambda known: known[1], default=None)


def send(run_id: str, number: signal.Signals) -> bool:
    """Signal every process group of a run but the caller's own; False when no process is left."""
    members = family(run_id)
    groups = set()
    for process in members:
        with suppress(ProcessLookupError):
            groups.add(os.getpgid(process.pid))
    groups.discard(os.getpgrp())
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    return bool(members)
