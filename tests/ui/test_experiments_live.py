"""The home screen while experiments come, go and change: what a person looks at stays where it is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.ui import project
from tests.ui.driving import opened, text_of, until
from tests.ui.fakes import FakeRunner, FakeStore
from tui.core.experiments import Experiment
from tui.core.rows import row_key
from tui.settings import Settings
from tui.widgets.table import VirtualTable

NUM = 300


def one(number: int, exact: float | None = None, name: str | None = None) -> Experiment:
    """An experiment below main; the higher its number, the older it is."""
    score = (number * 37 % NUM) / NUM if exact is None else exact
    return project.experiment(name or f"run-{number:03}", score, 0.5, 10 + number)


def many() -> list[Experiment]:
    """The workspace, main, and so many experiments."""
    return [*project.experiments()[:2], *map(one, range(NUM))]


def key_of(number: int) -> str:
    return row_key(one(number))


class Seen:
    """What is where on the screen."""

    def __init__(self, app: Any) -> None:
        self.table: VirtualTable = app.screen.query_one("#table", VirtualTable)

    @property
    def cursor(self) -> str | None:
        return self.table.cursor_key

    @property
    def line(self) -> int:
        """Line of the cursor."""
        return self.table.cursor_row - self.table.scroll_offset.y

    @property
    def keys(self) -> list[str]:
        """Rows in view."""
        return [self.table.rows.key(row) for row in self.table._visible]

    @property
    def place(self) -> tuple[str | None, int]:
        """Where the cursor is."""
        return self.cursor, self.line


async def show(app: Any, pilot: Any, store: FakeStore, rows: Sequence[Experiment]) -> None:
    """Let other experiments be found, and wait until they are listed."""
    store.listing = list(rows)
    await pilot.press("r")
    await until(pilot, lambda: list(app.screen._listing.experiments) == store.listing)


async def started(app: Any, pilot: Any, *keys: str, number: int = 150) -> Seen:
    """Keys pressed, and the cursor on a row in the middle."""
    seen = Seen(app)
    await until(pilot, lambda: seen.table.rows.num_rows == NUM + 2)
    await pilot.press(*keys)
    assert seen.table.select(key_of(number))
    await pilot.press(*["up"] * 3)
    await until(pilot, lambda: seen.cursor is not None)
    return seen


CHANGES: dict[str, Callable[[list[Experiment], str], list[Experiment]]] = {
    "a newer one comes": lambda rows, _: [*rows[:2], one(-1, 0.99), *rows[2:]],
    "many come": lambda rows, _: [*rows[:2], *(one(number, 0.5) for number in range(-200, 0)), *rows[2:]],
    "a commit comes": lambda rows, _: [
        rows[0],
        replace(rows[1], rev="e" * 40, refs=(), timestamp=project.NOW + timedelta(hours=1)),
        *rows[1:],
    ],
    "those above go": lambda rows, key: [
        row for place, row in enumerate(rows) if place < 2 or row_key(row) == key or place % 3
    ],
    "another one changes": lambda rows, key: [
        replace(row, metrics=project.metrics(0.999, 0.1, 1)) if row.name == "run-200" and row_key(row) != key else row
        for row in rows
    ],
    "it gets better": lambda rows, key: [
        replace(row, metrics=project.metrics(0.999, 0.1, 1)) if row_key(row) == key else row for row in rows
    ],
    "it has run to its end": lambda rows, key: [
        replace(row, rev="d" * 40, status="failed") if row_key(row) == key else row for row in rows
    ],
}


@pytest.mark.parametrize("keys", [(), ("s",), ("s", "t")], ids=["history", "sorted", "list"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_the_cursor_stays_on_its_experiment_and_line(
    change: Callable[[list[Experiment], str], list[Experiment]], keys: tuple[str, ...]
) -> None:
    store = FakeStore(many())
    async with opened(store, FakeRunner(), size=(100, 24)) as (app, pilot):
        seen = await started(app, pilot, *keys)
        cursor, line = seen.place
        assert cursor is not None
        await show(app, pilot, store, change(store.listing, cursor))
        assert seen.cursor == cursor
        assert seen.line == min(line, seen.table.cursor_row)  # less only where too few rows are left above it
        assert seen.cursor in seen.keys


async def test_what_is_in_view_stays_when_others_come_above_it() -> None:
    store = FakeStore(many())
    async with opened(store, FakeRunner(), size=(100, 24)) as (app, pilot):
        seen = await started(app, pilot)
        before = seen.keys
        await show(app, pilot, store, CHANGES["many come"](store.listing, ""))
        assert seen.keys == before
        await show(app, pilot, store, many())
        assert seen.keys == before


async def test_at_the_top_what_comes_is_seen_and_the_cursor_stays_on_its_experiment() -> None:
    store = FakeStore(many())
    async with opened(store, FakeRunner(), size=(100, 24)) as (app, pilot):
        seen = Seen(app)
        await until(pilot, lambda: seen.table.rows.num_rows == NUM + 2)
        await pilot.press("j", "j")
        assert seen.place == (key_of(0), 2)
        await show(app, pilot, store, CHANGES["a newer one comes"](store.listing, ""))
        assert seen.place == (key_of(0), 3)
        assert row_key(one(-1)) in seen.keys


@pytest.mark.parametrize("key", ["s", "S", "t", "m", "b", "u"])
async def test_another_view_keeps_the_cursor_on_its_experiment_and_line(key: str) -> None:
    async with opened(FakeStore(many()), FakeRunner(), size=(100, 24)) as (app, pilot):
        seen = await started(app, pilot, "s")
        before = seen.place
        await pilot.press(key)
        assert seen.place == before


async def test_the_filter_stays_and_judges_what_comes() -> None:
    store, settings = FakeStore(many()), Settings()
    async with opened(store, FakeRunner(), settings, size=(100, 24)) as (app, pilot):
        seen = Seen(app)
        await until(pilot, lambda: seen.table.rows.num_rows == NUM + 2)
        await pilot.press("slash", *"run-01", "enter")
        await until(pilot, lambda: f"10 of {NUM + 2}" in text_of(app))
        await pilot.press("j", "j", "j")
        before = seen.place
        await show(app, pilot, store, [*store.listing, one(-1, name="owl"), one(-2, name="run-019b")])
        assert settings.state.filter == "run-01"
        assert f"11 of {NUM + 4}" in text_of(app)
        assert seen.place == before


async def test_giving_a_filter_up_puts_the_cursor_back() -> None:
    async with opened(FakeStore(many()), FakeRunner(), size=(100, 24)) as (app, pilot):
        seen = await started(app, pilot)
        before = seen.cursor
        await pilot.press("slash", *"run-29")
        await until(pilot, lambda: seen.table.rows.num_rows == 11)
        assert seen.cursor != before
        await pilot.press("escape")
        await until(pilot, lambda: seen.table.rows.num_rows == NUM + 2)
        assert seen.cursor == before
        assert seen.cursor in seen.keys


async def test_clearing_a_kept_filter_leaves_the_cursor_on_what_was_found() -> None:
    async with opened(FakeStore(many()), FakeRunner(), size=(100, 24)) as (app, pilot):
        seen = await started(app, pilot)
        await pilot.press("slash", *"run-29", "enter", "end")
        await until(pilot, lambda: seen.cursor == key_of(299))
        await pilot.press("escape")
        await until(pilot, lambda: seen.table.rows.num_rows == NUM + 2)
        assert seen.cursor == key_of(299)
        assert seen.cursor in seen.keys


async def test_marks_stay_while_rows_come_go_and_come_back() -> None:
    store, settings = FakeStore(many()), Settings()
    async with opened(store, FakeRunner(), settings, size=(100, 24)) as (app, pilot):
        seen = await started(app, pilot)
        await pilot.press("space", "space")
        marks = settings.state.marks
        assert len(marks) == 2
        assert text_of(app).count("● ") == 2
        rows = store.listing
        await show(app, pilot, store, [row for row in rows if row_key(row) != marks[0]])
        assert "1 marked" in text_of(app)
        await show(app, pilot, store, [*rows[:2], one(-1), *rows[2:]])
        assert "2 marked" in text_of(app)
        await pilot.press("s", "S", "t")
        assert settings.state.marks == marks
        assert seen.table.select(marks[0])
        await until(pilot, lambda: "● " in text_of(app))


async def test_when_its_experiment_goes_the_cursor_is_on_the_one_that_takes_its_line() -> None:
    store = FakeStore(many())
    async with opened(store, FakeRunner(), size=(100, 24)) as (app, pilot):
        seen = await started(app, pilot)
        cursor, line = seen.place
        below = seen.keys[line + 1]
        await show(app, pilot, store, [row for row in store.listing if row_key(row) != cursor])
        assert seen.place == (below, line)
