"""The Compare screen: what differs, against which baseline, with which curves."""

from dataclasses import replace
from typing import Any

from tests.ui import project
from tests.ui.driving import opened, text_of, until
from tests.ui.fakes import FakeRunner, FakeStore
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.screens.compare.screen import CompareScreen
from tui.screens.dialogs import TextDialog
from tui.screens.experiments.screen import ExperimentsScreen
from tui.screens.pick import Pick
from tui.widgets.chart import LineChart
from tui.widgets.table import VirtualTable


def rows(*names: str) -> list[Experiment]:
    """Experiments of the project by their labels."""
    known = {one.label: one for one in project.experiments()}
    return [known[name] for name in names]


def keys(app: Any) -> list[str]:
    """Keys of the table's rows."""
    table = app.screen.query_one("#table", VirtualTable)
    return [table.rows.key(row) for row in range(table.rows.num_rows)]


def cells(app: Any, key: str) -> list[str]:
    """Cells of one row, from left to right."""
    table = app.screen.query_one("#table", VirtualTable)
    row = keys(app).index(key)
    found = [table.rows.cell(row, column.key) for column in table.columns[1:]]
    return [cell if isinstance(cell, str) else cell[0] for cell in found]


def labels(app: Any) -> list[str]:
    """What the chart overlays."""
    return [one.label for one in app.screen.query_one(LineChart).series]


async def show(app: Any, pilot: Any, *names: str) -> None:
    """Open the screen and wait for its curves."""
    await app.push_screen(CompareScreen(app.bench, rows(*names)))
    await until(pilot, lambda: labels(app))


async def test_only_differences_are_shown_until_all_are_asked_for() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot, "main", "brisk-owl")
        assert "param train.lora.r" in keys(app)
        assert "param train.seed" not in keys(app)
        assert "metric base/exact_match" not in keys(app)
        assert "8 equal rows hidden" in text_of(app) or "equal rows hidden" in text_of(app)
        await pilot.press("d")
        assert "param train.seed" in keys(app)
        assert "metric base/exact_match" in keys(app)
        assert app.bench.settings.state.only_differences is False


async def test_changes_are_judged_by_the_direction_of_the_metric() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot, "main", "brisk-owl", "warm-fox")
        assert [cell.split() for cell in cells(app, "metric test/exact_match")] == [
            ["0.91"],
            ["0.94", "▲", "+0.03"],
            ["0.47", "▼", "-0.44"],
        ]
        assert cells(app, "metric test/loss")[1].split() == ["0.33", "▼", "+0.02"]
        assert cells(app, "param train.lora.r") == ["16", "≠ 32", "16"]


async def test_another_baseline_can_be_chosen() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot, "main", "brisk-owl")
        await pilot.press("b")
        assert "⚑ brisk-owl" in text_of(app)
        assert [cell.split() for cell in cells(app, "metric test/exact_match")] == [["0.91", "▼", "-0.03"], ["0.94"]]


async def test_the_next_difference_is_found_also_among_equal_rows() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot, "main", "brisk-owl")
        await pilot.press("d")
        table = app.screen.query_one("#table", VirtualTable)
        assert table.cursor_key == "param train.lora.r"
        for key in ("test/exact_match", "test/loss", "test/chrf", "train/loss", "num_trainable_parameters"):
            await pilot.press("n")
            assert table.cursor_key == f"metric {key}"
        await pilot.press("n")
        assert table.cursor_key == "param train.lora.r"
        await pilot.press("p")
        assert table.cursor_key == "metric num_trainable_parameters"


async def test_what_was_changed_stands_before_what_came_of_it_and_equal_params_at_the_end() -> None:
    async with opened(size=(80, 24)) as (app, pilot):
        await show(app, pilot, "main", "brisk-owl")
        assert keys(app)[:4] == ["#params", "param train.lora.r", "#metrics", "metric test/exact_match"]
        assert "≠ 32" in text_of(app)
        await pilot.press("d")
        place = keys(app).index("#equal params")
        assert keys(app)[1] == "param train.lora.r"
        assert "param train.seed" in keys(app)[place:]
        assert "metric base/exact_match" in keys(app)[:place]


async def test_curves_are_overlaid_and_stepped_through() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot, "main", "brisk-owl", "warm-fox")
        chart = app.screen.query_one(LineChart)
        assert labels(app) == ["main", "brisk-owl", "warm-fox"]
        assert "train  train/loss  1 of 6" in chart.title
        await pilot.press("m")
        assert "validation/loss  2 of 6" in chart.title
        await pilot.press("M", "M")
        assert "base" in chart.title
        assert "6 of 6" in chart.title


async def test_a_curve_is_chosen_from_the_list_or_by_its_row() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot, "main", "brisk-owl")
        chart = app.screen.query_one(LineChart)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await pilot.press(*"learning", "enter")
        await until(pilot, lambda: "learning_rate" in chart.title)
        app.screen.query_one("#table", VirtualTable).select("metric train/loss")
        await pilot.press("enter")
        await until(pilot, lambda: "train/loss" in chart.title)


async def test_tab_moves_between_table_and_chart_and_v_hides_the_chart() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot, "main", "brisk-owl")
        await pilot.press("tab")
        assert isinstance(app.focused, LineChart)
        await pilot.press("v")
        assert not app.screen.query_one(LineChart).display
        assert app.focused.id == "table"


async def test_live_experiments_are_read_again() -> None:
    store = project.store()
    async with opened(store, polls=True) as (app, pilot):
        await show(app, pilot, "main", "warm-fox")
        better = [
            replace(one, metrics=project.metrics(0.99, 0.1, 8200)) if one.label == "warm-fox" else one
            for one in store.listing
        ]
        store.listing = better
        await until(pilot, lambda: cells(app, "metric test/exact_match")[1].split()[0] == "0.99")


async def test_a_stale_answer_is_dropped() -> None:
    store = project.store()
    async with opened(store) as (app, pilot):
        await until(pilot, lambda: store.script.count("experiments"))
        late = store.script.hold("experiments", [])
        await app.push_screen(CompareScreen(app.bench, rows("main", "brisk-owl")))
        await until(pilot, late.entered.is_set)
        store.listing = [replace(one, params={}) for one in store.listing]
        await pilot.press("r")
        await until(pilot, lambda: labels(app))
        late.released.set()
        await pilot.pause(0.1)
        assert "param train.lora.r" not in keys(app)


async def test_curves_that_cannot_be_read_are_told_with_their_experiment() -> None:
    store = project.store()
    async with opened(store) as (app, pilot):
        await until(pilot, lambda: store.script.count("experiments"))
        store.script.give("series", UserError("not in the local cache", hint="dvc pull"))
        await app.push_screen(CompareScreen(app.bench, rows("main", "brisk-owl")))
        await until(pilot, lambda: "main: not in the local cache; dvc pull" in text_of(app))
        assert labels(app) == ["brisk-owl"]
        await pilot.press("r")
        await until(pilot, lambda: labels(app) == ["main", "brisk-owl"])


async def test_a_failure_keeps_the_table() -> None:
    runner = project.runner()
    async with opened(runner=runner) as (app, pilot):
        await until(pilot, lambda: runner.script.count("runs"))
        runner.script.give("runs", UserError("locked"))
        await app.push_screen(CompareScreen(app.bench, rows("main", "brisk-owl")))
        await until(pilot, lambda: "locked" in text_of(app))
        assert "param train.lora.r" in keys(app)


async def test_a_crash_is_reported_and_the_screen_goes_on() -> None:
    store = project.store()
    async with opened(store) as (app, pilot):
        await until(pilot, lambda: store.script.count("experiments"))
        store.script.give("series", RuntimeError("bug"))
        await app.push_screen(CompareScreen(app.bench, rows("main", "brisk-owl")))
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await pilot.press("escape", "r")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and labels(app))


async def test_experiments_without_curves_say_so() -> None:
    async with opened(FakeStore(project.experiments()), FakeRunner()) as (app, pilot):
        await app.push_screen(CompareScreen(app.bench, rows("main", "brisk-owl")))
        await until(pilot, lambda: "no curves in the local cache" in text_of(app))


async def test_many_experiments_scroll_with_the_keys_in_view() -> None:
    async with opened(size=(80, 24)) as (app, pilot):
        await show(app, pilot, *(one.label for one in project.experiments() if one.label != "workspace"))
        assert "columns →" in text_of(app)
        await pilot.press("l", "l")
        assert "test/exact_match" in text_of(app)
        assert "← 2 columns" in text_of(app)


async def test_a_row_is_copied_with_its_full_values_and_escape_leaves() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot, "main", "brisk-owl")
        await pilot.press("y")
        assert app.clipboard == "train.lora.r\t16\t32"
        await pilot.press("n", "y")
        assert app.clipboard == "test/exact_match\t0.91\t0.94"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))
