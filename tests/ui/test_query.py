"""The Query screen: ask, wait, cancel, read the rows."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from tests.ui import project
from tests.ui.driving import opened, text_of, until
from tests.ui.fakes import FakeStore
from tui.app import FinetuiApp
from tui.core.errors import UserError
from tui.core.ports import QueryResult
from tui.core.queries import QueryError
from tui.screens.base import PollingScreen
from tui.screens.dialogs import Choose, TextDialog
from tui.screens.experiments.screen import ExperimentsScreen
from tui.screens.pick import Pick
from tui.screens.query.catalog import Catalog
from tui.screens.query.screen import LIMIT, QueryScreen
from tui.screens.run.screen import RunScreen
from tui.settings import Settings
from tui.widgets.sql_editor import SqlEditor
from tui.widgets.table import VirtualTable

SQL = "SELECT name, value FROM metrics"


def result(*rows: tuple[Any, ...], truncated: bool = False, notes: tuple[str, ...] = ()) -> QueryResult:
    """Names and values."""
    return QueryResult(("name", "value"), rows, truncated, ("VARCHAR", "DOUBLE"), notes)


ROWS = result(("brisk-owl", 0.94), ("warm-fox", None), ("", 0.47123456789))


def table(app: Any) -> VirtualTable:
    """The rows."""
    found: VirtualTable = app.screen.query_one("#table", VirtualTable)
    return found


def cells(app: Any) -> list[list[str]]:
    """Text of every cell."""
    shown = table(app)
    rows = range(shown.rows.num_rows)
    found = [[shown.rows.cell(row, column.key) for column in shown.columns] for row in rows]
    return [[cell if isinstance(cell, str) else cell[0] for cell in row] for row in found]


async def ask(app: Any, pilot: Any, sql: str = SQL) -> None:
    """Open the screen, and run a query."""
    await app.push_screen(QueryScreen(app.bench))
    app.screen.query_one(SqlEditor).put(sql)
    await pilot.press("ctrl+r")


def asked(store: FakeStore) -> list[str]:
    """SQL of all queries so far."""
    return [arguments[0] for name, arguments in store.script.calls if name == "query"]


async def test_rows_arrive_and_null_is_no_text() -> None:
    store = project.store()
    store.script.give("query", ROWS)
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, lambda: cells(app))
        assert cells(app) == [["brisk-owl", "0.94"], ["warm-fox", "NULL"], ["", "0.471235"]]
        assert [column.align for column in table(app).columns] == ["left", "right"]
        assert "3 rows in 0.00 s" in text_of(app)
        assert asked(store) == [SQL]


async def test_the_editor_has_keys_of_its_own_and_q_is_a_letter_there() -> None:
    store = project.store()
    async with opened(store) as (app, pilot):
        await pilot.press("Q")
        await until(pilot, lambda: isinstance(app.screen, QueryScreen))
        await pilot.press(*"FROM q?:y", "f5")
        await until(pilot, lambda: asked(store))
        assert asked(store) == ["FROM q?:y"]
        assert "no rows" in text_of(app)
        assert "q Quit" not in text_of(app)
        await pilot.press("tab")
        assert "q Quit" in text_of(app)


async def test_an_empty_editor_runs_the_example_that_it_shows() -> None:
    store = project.store()
    async with opened(store) as (app, pilot):
        await ask(app, pilot, "  \n ")
        await until(pilot, lambda: asked(store))
        assert "FROM metrics GROUP BY key" in asked(store)[0]
        assert app.screen.query_one(SqlEditor).text == asked(store)[0]


async def test_the_footer_names_keys_that_work_where_the_focus_is() -> None:
    async with opened(size=(80, 24)) as (app, pilot):
        await pilot.press("Q")
        await until(pilot, lambda: isinstance(app.screen, QueryScreen))
        assert "f4 History  esc Back  f1 Help" in text_of(app)
        await pilot.press("tab")
        await until(pilot, lambda: "? Help" in text_of(app))


async def test_a_superseded_answer_is_dropped_and_its_query_cancelled() -> None:
    store = project.store()
    late = store.script.hold("query", result(("stale", 1.0)))
    store.script.give("query", ROWS)
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, late.entered.is_set)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: cells(app))
        cancelled = next(arguments[1] for name, arguments in store.script.calls if name == "query")
        assert cancelled.is_set()
        late.released.set()
        await pilot.pause(0.1)
        assert cells(app)[0][0] == "brisk-owl"


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_a_running_query_tells_its_time_and_is_cancelled(key: str) -> None:
    store = project.store()
    running = store.script.hold("query", UserError("the query was cancelled"))
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, running.entered.is_set)
        assert "running 0.0 s" in text_of(app)
        await pilot.press(key)
        _, (_, cancelled) = store.script.calls[-1]
        assert cancelled.is_set()
        running.released.set()
        await until(pilot, lambda: "cancelled" in text_of(app))
        assert "running" not in text_of(app)
        assert isinstance(app.screen, QueryScreen)


async def test_leaving_cancels() -> None:
    store = project.store()
    running = store.script.hold("query", UserError("the query was cancelled"))
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, running.entered.is_set)
        app.screen.dismiss()
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))
        _, (_, cancelled) = next(call for call in store.script.calls if call[0] == "query")
        assert cancelled.is_set()
        running.released.set()


async def test_a_mistake_is_told_with_its_place_which_is_selected_and_the_next_query_recovers() -> None:
    store = project.store()
    sql = "SELECT name,\n  vale FROM metrics"
    store.script.give("query", QueryError("the query failed", "there is no column vale", "did you mean value?", 15))
    store.script.give("query", ROWS)
    async with opened(store) as (app, pilot):
        await ask(app, pilot, sql)
        await until(pilot, lambda: "line 2, column 3" in text_of(app))
        assert "there is no column vale; did you mean value?" in text_of(app)
        assert app.screen.query_one(SqlEditor).selected_text == "vale"
        await pilot.press(*"value", "ctrl+r")
        await until(pilot, lambda: cells(app))
        assert asked(store)[-1] == "SELECT name,\n  value FROM metrics"
        assert "no column" not in text_of(app)


async def test_rows_of_before_stay_with_a_word_when_a_query_fails() -> None:
    store = project.store()
    store.script.give("query", ROWS)
    store.script.give("query", UserError("the query took longer than 60 s", hint="narrow it"))
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, lambda: cells(app))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "took longer" in text_of(app))
        assert "the query before: 3 rows" in text_of(app)


async def test_a_crash_is_reported_and_the_screen_goes_on() -> None:
    store = project.store()
    store.script.give("query", RuntimeError("bug"))
    store.script.give("query", ROWS)
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await pilot.press("escape")
        assert "running" not in text_of(app)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: cells(app))


async def test_the_limit_is_told_and_what_was_left_out() -> None:
    store = project.store()
    rows = [(f"row {number}", float(number)) for number in range(LIMIT)]
    store.script.give("query", result(*rows, truncated=True, notes=("cold-elk: its file is broken",)))
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, lambda: cells(app))
        assert "first 10,000 rows" in text_of(app)
        assert "there are more" in text_of(app)
        assert "left out: cold-elk: its file is broken" in text_of(app)
        await pilot.press("tab", "G")
        assert "row 9999" in text_of(app)


async def test_another_result_has_other_columns() -> None:
    store = project.store()
    store.script.give("query", ROWS)
    wide = QueryResult(tuple(f"column {i}" for i in range(40)), (tuple(range(40)),), False, ("BIGINT",) * 40)
    store.script.give("query", wide)
    async with opened(store, size=(80, 24)) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, lambda: cells(app))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: len(table(app).columns) == 40)
        assert "columns →" in text_of(app)
        await pilot.press("tab", *["l"] * 39)
        assert "column 39" in text_of(app)


async def test_hostile_text_does_not_reach_the_terminal() -> None:
    store = project.store()
    evil = QueryResult(("a\x1b[2J[red]b",), (("\x1b]0;x\x07\n[bold]y",),), False, ("VARCHAR",), ("z\x1b[1m",))
    store.script.give("query", evil)
    store.script.give("query", UserError("no \x1b[31mred", "[link]"))
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, lambda: cells(app))
        assert "\x1b" not in text_of(app)
        assert "[red]b" in text_of(app)
        assert "[bold]y" in text_of(app)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "no ␛[31mred: [link]" in text_of(app))


async def test_enter_opens_the_experiment_of_a_row() -> None:
    store = project.store()
    store.script.give("query", ROWS)
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, lambda: cells(app))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, QueryScreen))
        assert cells(app)[0][0] == "brisk-owl"


async def test_enter_shows_a_row_without_experiment_in_full() -> None:
    store = project.store()
    store.script.give("query", QueryResult(("n", "when"), ((0.1234567891, None),), False, ("DOUBLE", "VARCHAR")))
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, lambda: cells(app) == [["0.123457", "NULL"]])
        await pilot.press("tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        assert "n: 0.1234567891" in text_of(app)
        assert "when: NULL" in text_of(app)


@pytest.mark.parametrize(
    ("num_downs", "wanted"),
    [
        (0, "name,value\nbrisk-owl,0.94\nwarm-fox,\n,0.47123456789\n"),
        (1, "| name | value |\n| --- | --- |\n| brisk-owl | 0.94 |\n| warm-fox |  |\n|  | 0.47123456789 |\n"),
        (2, None),
    ],
)
async def test_rows_are_copied_in_full(num_downs: int, wanted: str | None) -> None:
    store = project.store()
    store.script.give("query", ROWS)
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, lambda: cells(app))
        await pilot.press("f8")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press(*["down"] * num_downs, "enter")
        await until(pilot, lambda: app.clipboard)
        if wanted is None:
            assert json.loads(app.clipboard)[1] == {"name": "warm-fox", "value": None}
        else:
            assert app.clipboard == wanted
        await pilot.press("tab", "Y")
        assert app.clipboard == "brisk-owl\t0.94"


async def test_a_click_on_a_title_sorts_with_null_last() -> None:
    store = project.store()
    store.script.give("query", result(("a", 1.0), ("b", None), ("c", 10.0), ("d", 2.5)))
    async with opened(store) as (app, pilot):
        await ask(app, pilot)
        await until(pilot, lambda: cells(app))
        column = table(app).columns[1].key
        orders = []
        for _ in range(3):
            table(app).post_message(VirtualTable.HeaderPressed(table(app), column))
            await pilot.pause()
            orders.append("".join(row[0] for row in cells(app)))
        assert orders == ["cdab", "adcb", "abcd"]
        table(app).post_message(VirtualTable.HeaderPressed(table(app), column))
        await pilot.press("tab", "g", "Y")
        assert app.clipboard == "c\t10.0"


async def test_names_of_tables_and_columns_are_put_into_the_query() -> None:
    async with opened(size=(80, 24)) as (app, pilot):
        await app.push_screen(QueryScreen(app.bench))
        assert not app.screen.query_one(Catalog).display
        await pilot.press(*"FROM ", "f2", "down", "down", "down")
        assert "metrics: 2 columns" in text_of(app)
        await pilot.press("enter")
        assert app.screen.query_one(SqlEditor).text == "FROM metrics"
        assert app.screen.query_one(SqlEditor).has_focus
        await pilot.press("f2", "f2")
        assert not app.screen.query_one(Catalog).display


async def test_a_saved_query_asks_for_its_values_and_runs() -> None:
    store = project.store()
    store.script.give("query", QueryResult(("key",), (("test/exact_match",), ("it's",)), False))
    store.script.give("query", ROWS)
    async with opened(store) as (app, pilot):
        await app.push_screen(QueryScreen(app.bench))
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await pilot.press(*"one metric", "enter")
        await until(pilot, lambda: isinstance(app.screen, Pick) and "leaderboard: metric" in text_of(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, QueryScreen) and cells(app))
        assert asked(store)[-1] == "SELECT name, value FROM metrics WHERE key = 'it''s'"


async def test_a_pick_can_match_nothing_and_be_given_up() -> None:
    async with opened() as (app, pilot):
        await app.push_screen(QueryScreen(app.bench))
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await pilot.press(*"nosuch", "enter", "down")
        assert isinstance(app.screen, Pick)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, QueryScreen))
        assert app.screen.query_one(SqlEditor).text == ""


async def test_the_main_metric_is_offered_first() -> None:
    store, settings = project.store(), Settings()
    settings.update(main_metric="test/loss")
    store.script.give("query", QueryResult(("key",), (("a",), ("test/loss",)), False))
    async with opened(store, settings=settings) as (app, pilot):
        await app.push_screen(QueryScreen(app.bench))
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "leaderboard: metric" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: len(asked(store)) == 2)
        assert asked(store)[-1].endswith("key = 'test/loss'")


async def test_values_that_cannot_be_found_are_told() -> None:
    store = project.store()
    store.script.give("query", UserError("the project cannot be read"))
    async with opened(store) as (app, pilot):
        await app.push_screen(QueryScreen(app.bench))
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "the project cannot be read" in text_of(app))


async def test_queries_are_remembered_the_last_one_first() -> None:
    settings = Settings()
    async with opened(settings=settings) as (app, pilot):
        await ask(app, pilot, "SELECT 1")
        for sql in ("SELECT\n  2", "SELECT 1"):
            app.screen.query_one(SqlEditor).put(sql)
            await pilot.press("ctrl+r")
        assert settings.state.queries == ("SELECT\n  2", "SELECT 1")
        await pilot.press("f4")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await pilot.press(*"select 2", "enter")
        assert app.screen.query_one(SqlEditor).text == "SELECT\n  2"
        await pilot.press("ctrl+z")
        assert app.screen.query_one(SqlEditor).text == "SELECT 1"
        await until(pilot, lambda: "running" not in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))
        await pilot.press("Q")
        await until(pilot, lambda: isinstance(app.screen, QueryScreen))
        assert app.screen.query_one(SqlEditor).text == "SELECT 1"


def shown(keys: str = "") -> Callable[[Any], Awaitable[None]]:
    """Run a query, then press keys."""

    async def gesture(pilot: Any) -> None:
        await until(pilot, lambda: "brisk-owl" in text_of(pilot.app))
        await pilot.press("Q")
        await until(pilot, lambda: isinstance(pilot.app.screen, QueryScreen))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "rows in" in text_of(pilot.app))
        await pilot.press(*keys.split())
        await pilot.pause(0.1)

    return gesture


def app_with_rows() -> FinetuiApp:
    """The app, whose next query has rows of many kinds."""
    store, settings = project.store(), Settings()
    settings.update(
        query='-- the best ones\nSELECT name, rev, value, method, "timestamp"\n'
        "FROM metrics JOIN experiments USING (rev, name)\nWHERE key = 'test/exact_match' AND value > 0.5"
    )
    columns = ("name", "rev", "value", "num_examples", "is_live", "method", "timestamp", "tags")
    types = ("VARCHAR", "VARCHAR", "DOUBLE", "BIGINT", "BOOLEAN", "VARCHAR", "TIMESTAMP", "VARCHAR[]")
    rows = tuple(
        (f"experiment-{number:02}", f"{number:040x}", 0.9 - number / 37, 322, number % 5 == 0,
         None if number % 4 == 0 else "lora + dpo", datetime(2026, 3, 1 + number % 28, 12, 30), ["a", "b"])
        for number in range(60)
    )  # fmt: skip
    store.script.give("query", QueryResult(columns, rows, True, types, ("cold-elk: series.csv cannot be read",)))
    return FinetuiApp(store, project.runner(), settings, clock=lambda: project.NOW)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_query(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setattr(PollingScreen, "INTERVAL_S", 1000.0)
    assert snap_compare(app_with_rows(), terminal_size=size, run_before=shown("tab j j"))


@pytest.mark.parametrize("size", [(80, 24)])
def test_query_with_tables(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setattr(PollingScreen, "INTERVAL_S", 1000.0)
    assert snap_compare(app_with_rows(), terminal_size=size, run_before=shown("f2 j j"))
