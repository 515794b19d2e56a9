"""What all screens share: their clients, the report of crashed workers, polling."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, TypeVar

from textual import on
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from tui.commands import Scope, find
from tui.core.ports import Runner, Store
from tui.messages import WorkerCrashed
from tui.settings import Settings

Result = TypeVar("Result")


def now() -> datetime:
    """The time, with a time zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a screen works with."""

    store: Store
    runner: Runner
    settings: Settings
    read_only: bool = False
    clock: Callable[[], datetime] = now


class WorkerScreen(Screen[Result]):
    """A screen with workers: one that crashes is reported, and the screen goes on."""

    scope: ClassVar[Scope]
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    WorkerScreen {
        layout: vertical;
        .title { background: $panel; }
        VirtualTable, LineChart, LogTail { background: transparent; }
        .box { border: round $foreground 30%; border-title-color: $foreground; }
        .box:focus, .box:focus-within { border: round $primary; border-title-color: $foreground; }
        &:ansi .title { background: ansi_default; text-style: bold; }
        &:ansi .box, &:ansi .box:focus, &:ansi .box:focus-within { border: round ansi_default; }
    }
    """

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench

    @on(Worker.StateChanged)
    def _report_crash(self, message: Worker.StateChanged) -> None:
        if message.state is WorkerState.ERROR and message.worker.error is not None:
            self.worker_crashed(message.worker.group)
            self.post_message(WorkerCrashed(message.worker.error, message.worker.group == "poll"))

    def worker_crashed(self, group: str) -> None:
        """A worker of this group will not end in its message."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether an action can be started now."""
        command = find(self.scope, action) if not parameters else None
        if command is None:
            return True
        return not (command.writes and self.bench.read_only) and self.is_available(action)

    def is_available(self, action: str) -> bool:
        """Whether a command of this screen makes sense now."""
        return bool(action)


class PollingScreen(WorkerScreen[Result]):
    """A screen that reads its subject again every second while it is seen; a stale answer is dropped by its number."""

    INTERVAL_S = 1.0

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._request = 0
        self._in_flight = False

    def on_mount(self) -> None:
        """Start to poll."""
        self._timer = self.set_interval(self.INTERVAL_S, self._tick)

    def on_screen_suspend(self) -> None:
        """Another screen covers this one: nothing to do until it is gone."""
        self._timer.pause()

    def on_screen_resume(self) -> None:
        """The screen is seen (again)."""
        self._timer.resume()
        self.action_reload()

    def _tick(self) -> None:
        if not self._in_flight:
            self.action_reload()

    def action_reload(self) -> None:
        """Ask now, whatever has been asked before."""
        self._request += 1
        self._in_flight = True
        self.load(self._request)

    def load(self, request: int) -> object:
        """Start the worker that answers a request; it belongs to the group `poll`."""
        raise NotImplementedError

    def accepts(self, request: int) -> bool:
        """Whether an answer is the one that is waited for."""
        if request != self._request:
            return False
        self._in_flight = False
        return True

    def worker_crashed(self, group: str) -> None:
        """The next tick may ask again."""
        if group == "poll":
            self._in_flight = False
