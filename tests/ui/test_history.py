"""The History screen: arrives, is superseded, fails and recovers, and says where a metric moved."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.ui import project
from tests.ui.driving import opened, text_of, until
from tests.ui.fakes import FakeStore
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.screens.compare.screen import CompareScreen
from tui.screens.dialogs import TextDialog
from tui.screens.experiments.screen import ExperimentsScreen
from tui.screens.history.screen import HistoryScreen
from tui.screens.run.screen import RunScreen
from tui.widgets.chart import LineChart
from tui.widgets.table import VirtualTable

VALUES = (0.9, 0.9, 0.91, None, 0.5, 0.5)
"""Oldest first."""
PATH = "data/metrics/evaluate/metrics.json"


def commits(values: tuple[Any, ...] = VALUES) -> list[Experiment]:
    """Newest first."""
    rows = []
    for number, value in enumerate(values):
        metrics = {} if value is None else {PATH: {"test/exact_match": value, "test/loss": 1.0}}
        when = project.NOW - timedelta(days=len(values) - number)
        rows.append(
            Experiment(f"{number}" * 40, "commit", timestamp=when, subject=f"commit {number} \x1b[2J", metrics=metrics)
        )
    return rows[::-1]


def table(app: Any) -> VirtualTable:
    """The commits."""
    found: VirtualTable = app.screen.query_one("#commits", VirtualTable)
    return found


def texts(app: Any, column: str) -> list[str]:
    """A column of the table."""
    rows = table(app).rows
    cells = [rows.cell(row, column) for row in range(rows.num_rows)]
    return [cell if isinstance(cell, str) else cell[0] for cell in cells]


async def shown(app: Any, pilot: Any, newest: Experiment, metric: str | None = None) -> HistoryScreen:
    """The screen with its rows."""
    screen = HistoryScreen(app.bench, newest, metric)
    await app.push_screen(screen)
    await until(pilot, lambda: table(app).rows.num_rows)
    return screen


async def test_a_key_on_a_row_opens_the_main_metric_along_its_commits() -> None:
    async with opened(FakeStore(commits())) as (app, pilot):
        await until(pilot, lambda: app.screen.query_one("#table", VirtualTable).rows.num_rows)
        await pilot.press("H")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and table(app).rows.num_rows)
        assert texts(app, "value") == ["0.5", "0.5", "none", "0.91", "0.9", "0.9"]
        assert texts(app, "change") == ["", "▼ -0.41", "", "▲ +0.01", "", ""]
        assert texts(app, "sign") == ["", "◆", "◇", "", "", ""]
        shot = text_of(app)
        assert "test/exact_match  higher is better" in shot
        assert "test/exact_match: 0.91 -> 0.5 (▼ -0.41) in 4444444 commit 4" in shot
        assert "every change counts" in shot
        assert "\x1b[2J" not in shot
        assert app.screen.query_one(LineChart).marks == (5.0,)
        await pilot.press("escape")
        assert isinstance(app.screen, ExperimentsScreen)


async def test_the_cursor_and_the_cross_hair_follow_each_other() -> None:
    async with opened(FakeStore(commits())) as (app, pilot):
        await shown(app, pilot, commits()[0])
        await pilot.press("b")
        await until(pilot, lambda: app.screen.query_one(LineChart).crosshair == 5.0)
        assert table(app).cursor_key == "4" * 40
        chart = app.screen.query_one(LineChart)
        chart.post_message(LineChart.Hovered(chart, 2.2))
        await until(pilot, lambda: table(app).cursor_key == "1" * 40)


async def test_only_changes_and_other_metrics() -> None:
    async with opened(FakeStore(commits())) as (app, pilot):
        await shown(app, pilot, commits()[0])
        await pilot.press("d")
        await until(pilot, lambda: texts(app, "value") == ["0.5", "0.5", "0.91", "0.9"])
        assert texts(app, "alike") == ["", "+1", "+1", ""]
        await pilot.press("m")
        await until(pilot, lambda: texts(app, "value") == ["1", "1"])
        assert "has not moved by more than its noise" in text_of(app)
        await pilot.press("M")
        await until(pilot, lambda: len(texts(app, "value")) == 4)


async def test_a_commit_opens_and_is_compared_with_what_it_moved_from() -> None:
    rows = commits()
    async with opened(FakeStore(rows)) as (app, pilot):
        await shown(app, pilot, rows[0])
        await pilot.press("b", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        assert [one.rev[0] for one in app.screen._reading.experiments] == ["2", "4"]
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 50)])
async def test_it_fits_any_terminal(size: tuple[int, int]) -> None:
    async with opened(FakeStore(commits()), size=size) as (app, pilot):
        await shown(app, pilot, commits()[0])
        shot = text_of(app)
        assert "0.91 -> 0.5" in shot
        assert "4444444" in shot


async def test_an_answer_that_is_no_longer_wanted_is_dropped() -> None:
    store = FakeStore(commits())
    async with opened(store) as (app, pilot):
        slow = store.script.hold("lineage", commits((0.1, 0.2)))
        await app.push_screen(HistoryScreen(app.bench, commits()[0]))
        await until(pilot, slow.entered.is_set)
        await pilot.press("r")
        await until(pilot, lambda: table(app).rows.num_rows == 6)
        slow.released.set()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert table(app).rows.num_rows == 6


async def test_a_failure_is_told_until_it_is_gone() -> None:
    store = FakeStore(commits())
    async with opened(store) as (app, pilot):
        store.script.give("lineage", UserError("the repository is locked"))
        await app.push_screen(HistoryScreen(app.bench, commits()[0]))
        await until(pilot, lambda: "the repository is locked" in text_of(app))
        await pilot.press("r")
        await until(pilot, lambda: table(app).rows.num_rows == 6)
        assert "the repository is locked" not in text_of(app)


async def test_a_crash_opens_a_dialog_and_the_screen_goes_on() -> None:
    store = FakeStore(commits())
    async with opened(store) as (app, pilot):
        store.script.give("lineage", RuntimeError("boom"))
        await app.push_screen(HistoryScreen(app.bench, commits()[0]))
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and table(app).rows.num_rows == 6)


async def test_commits_without_metrics_say_so() -> None:
    rows = commits((None, None))
    async with opened(FakeStore(rows)) as (app, pilot):
        await app.push_screen(HistoryScreen(app.bench, rows[0]))
        await until(pilot, lambda: "no commit here has a metric" in text_of(app))
        await pilot.press("b", "c", "enter", "m", "o", "d")
        assert isinstance(app.screen, HistoryScreen)


async def test_values_that_are_not_known_yet_fill_in() -> None:
    rows = commits()
    store = FakeStore(rows)
    early = [replace(row, metrics={}, is_pending=True) if row.rev[0] < "3" else row for row in rows]
    async with opened(store, polls=True) as (app, pilot):
        store.script.give("lineage", early)
        await shown(app, pilot, rows[0])
        await until(pilot, lambda: texts(app, "value")[-1] == "0.9")
        assert "still being read" not in text_of(app)
        count = store.script.count("lineage")
        await pilot.pause(0.3)
        assert store.script.count("lineage") == count >= 2
