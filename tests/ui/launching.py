"""The launch screen in tests: how to open it and what it shows."""

from typing import Any

from tests.ui.driving import until
from tests.ui.fakes import FakeRunner
from tui.core.runs import RunRequest
from tui.screens.launch.form import ParamForm
from tui.screens.launch.screen import LaunchScreen

LaunchScreen.PLAN_DELAY_S = 0.01


def form(app: Any) -> ParamForm:
    """The form."""
    found: ParamForm = app.screen.query_one(ParamForm)
    return found


def value(app: Any, key: str) -> str:
    """What the form shows for a key."""
    rows = form(app).rows
    row = next(row for row in range(rows.num_rows) if rows.key(row) == key)
    cell = rows.cell(row, "value")
    return cell if isinstance(cell, str) else cell[0]


def planned(runner: FakeRunner) -> list[RunRequest]:
    """What plans were asked for."""
    return [arguments[0] for method, arguments in runner.script.calls if method == "plan"]


async def show(app: Any, pilot: Any) -> None:
    """Open the form and wait for its fields."""
    await until(pilot, lambda: app.screen.query_one("#table").rows.num_rows)
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and form(app).rows.num_rows)
