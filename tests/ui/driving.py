"""How tests drive the app: wait for a condition, never for a time."""

from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from tests.ui import project
from tests.ui.fakes import FakeRunner, FakeStore
from tui.app import FinetuiApp
from tui.screens.base import PollingScreen
from tui.settings import Settings

_ROUNDS = 2000


async def until(pilot: Pilot[Any], condition: Callable[[], Any]) -> None:
    """Wait until something is true."""
    for _ in range(_ROUNDS):
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.01)
    raise AssertionError("it never became true")


@asynccontextmanager
async def opened(
    store: FakeStore | None = None,
    runner: FakeRunner | None = None,
    settings: Settings | None = None,
    *,
    size: tuple[int, int] = (100, 30),
    read_only: bool = False,
    polls: bool = False,
) -> Any:
    """The app on a project; polls only when it is told to."""
    app = FinetuiApp(
        store if store is not None else project.store(),
        runner if runner is not None else project.runner(),
        settings if settings is not None else Settings(),
        read_only,
        clock=lambda: project.NOW,
    )
    interval, PollingScreen.INTERVAL_S = PollingScreen.INTERVAL_S, 0.05 if polls else 1000.0
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            yield app, pilot
    finally:
        PollingScreen.INTERVAL_S = interval


def text_of(app: FinetuiApp) -> str:
    """What is on the screen."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)
