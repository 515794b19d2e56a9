"""What examples say: in the Compare screen, and one by one in the Examples screen."""

from dataclasses import replace
from typing import Any

import pytest

from tests.ui import examples, project
from tests.ui.driving import opened, text_of, until
from tests.ui.fakes import FakeStore
from tui.core.errors import UsageError, UserError
from tui.core.examples import ExampleComparison
from tui.screens.compare.examples import ExamplesScreen
from tui.screens.compare.screen import CompareScreen
from tui.screens.dialogs import Choose, TextDialog
from tui.widgets.line import Line
from tui.widgets.table import VirtualTable

EXACT, EVIDENCE = "metric test/exact_match", "evidence test/exact_match"


def table(app: Any) -> VirtualTable:
    found: VirtualTable = app.screen.query_one(VirtualTable)
    return found


def keys(app: Any) -> list[str]:
    rows = table(app).rows
    return [rows.key(row) for row in range(rows.num_rows)]


def cells(app: Any, key: str) -> list[str]:
    """Cells of one row, white space apart."""
    row = keys(app).index(key)
    found = [table(app).rows.cell(row, column.key) for column in table(app).columns[1:]]
    return [" ".join((cell if isinstance(cell, str) else cell[0]).split()) for cell in found]


async def compare(app: Any, pilot: Any, *names: str, store: FakeStore | None = None) -> None:
    """Open the Compare screen."""
    known = {one.label: one for one in (store.listing if store is not None else project.experiments())}
    await app.push_screen(CompareScreen(app.bench, [known[name] for name in names]))
    await until(pilot, lambda: keys(app))


async def show(app: Any, pilot: Any, *candidates: str, key: str | None = None) -> ExamplesScreen:
    """Open the Examples screen against main."""
    (baseline,) = examples.rows("main")
    screen = ExamplesScreen(app.bench, baseline, examples.rows(*candidates), key)
    await app.push_screen(screen)
    return screen


# In the Compare screen


async def test_intervals_and_chance_arrive_below_their_metric() -> None:
    async with opened(examples.store()) as (app, pilot):
        await compare(app, pilot, "main", "brisk-owl", "warm-fox")
        await until(pilot, lambda: EVIDENCE in keys(app))
        assert keys(app).index(EVIDENCE) == keys(app).index(EXACT) + 1
        assert cells(app, EVIDENCE) == ["[0.87, 0.94]", "[0.9, 0.97] p 0.340", "[0.43, 0.5] p 2e-12"]
        assert cells(app, EXACT) == ["0.91", "0.94 ~ +0.03", "0.47 ▼ -0.44"]
        await pilot.press("i")
        assert EVIDENCE not in keys(app)
        assert cells(app, EXACT)[1] == "0.94 ~ +0.03"


async def test_another_baseline_asks_again_and_a_stale_answer_is_dropped() -> None:
    store = examples.store()
    async with opened(store) as (app, pilot):
        late = store.script.hold("examples", examples.comparison(p_value=0.9))
        await compare(app, pilot, "main", "brisk-owl")
        await until(pilot, late.entered.is_set)
        assert cells(app, EXACT)[1] == "0.94 ▲ +0.03"
        await pilot.press("b")
        await until(pilot, lambda: EVIDENCE in keys(app))
        assert cells(app, EVIDENCE) == ["[0.87, 0.94] p 0.340", "[0.9, 0.97]"]
        late.released.set()
        await pilot.pause(0.1)
        assert cells(app, EVIDENCE) == ["[0.87, 0.94] p 0.340", "[0.9, 0.97]"]


async def test_without_results_there_is_nothing_more_to_see() -> None:
    store = project.store()
    async with opened(store) as (app, pilot):
        await compare(app, pilot, "main", "brisk-owl")
        await until(pilot, lambda: store.script.count("examples"))
        await pilot.pause(0.05)
        assert not [key for key in keys(app) if key.startswith("evidence")]
        assert cells(app, EXACT)[1] == "0.94 ▲ +0.03"


async def test_a_run_that_goes_on_is_asked_again_when_its_stage_is_another() -> None:
    store = examples.store()
    async with opened(store, polls=True) as (app, pilot):
        await compare(app, pilot, "main", "warm-fox")
        await until(pilot, lambda: EVIDENCE in keys(app))

        def become(**changes: Any) -> None:
            store.listing = [replace(one, **changes) if one.label == "warm-fox" else one for one in store.listing]

        become(metrics=project.metrics(0.99, 0.1, 8200))
        await until(pilot, lambda: cells(app, EXACT)[1].startswith("0.99"))
        num = store.script.count("examples")
        store.compared["warm-fox"] = examples.comparison(p_value=0.77)
        become(stage="deploy")
        await until(pilot, lambda: "p 0.770" in cells(app, EVIDENCE)[1])
        assert store.script.count("examples") == num + 1


async def test_results_that_are_not_there_are_told_below() -> None:
    store = examples.store()
    del store.scored["warm-fox"]
    store.compared["warm-fox"] = ExampleComparison(100, 0)
    async with opened(store) as (app, pilot):
        await compare(app, pilot, "main", "brisk-owl", "warm-fox")
        await until(pilot, lambda: "warm-fox: it has no per-example results" in text_of(app))
        assert cells(app, EVIDENCE)[2] == ""


async def test_a_crash_while_reading_them_is_reported_and_the_screen_goes_on() -> None:
    store = examples.store()
    async with opened(store) as (app, pilot):
        store.script.give("scores", RuntimeError("bug"))
        await compare(app, pilot, "main", "brisk-owl")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await pilot.press("escape", "b")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and EVIDENCE in keys(app))


async def test_seeds_are_grouped_and_single_again() -> None:
    store = examples.seeded_store()
    async with opened(store) as (app, pilot):
        await compare(app, pilot, "main", "brisk-owl", "owl-1", "owl-2", store=store)
        await pilot.press("s")
        await until(pilot, lambda: len(table(app).columns) == 3)
        assert "4 grouped by seed" in text_of(app)
        assert cells(app, EXACT)[0] == "0.91"
        assert cells(app, EXACT)[1].startswith("0.9367 ± 0.01528 (3)")
        assert cells(app, "param train.seed") == ["0", "≠ [0, 1, 2]"]
        await pilot.press("b")
        assert "⚑ brisk-owl" in text_of(app)
        await pilot.press("s")
        assert len(table(app).columns) == 5
        assert "grouped" not in text_of(app)


async def test_what_was_not_repeated_is_not_grouped() -> None:
    async with opened() as (app, pilot):
        await compare(app, pilot, "main", "brisk-owl")
        await pilot.press("s")
        await until(pilot, lambda: "differ only in their seed" in text_of(app))
        assert len(table(app).columns) == 3


# One by one


async def test_examples_arrive_with_what_became_of_them() -> None:
    async with opened(examples.store(), size=(160, 40)) as (app, pilot):
        await compare(app, pilot, "main", "brisk-owl")
        await until(pilot, lambda: EVIDENCE in keys(app))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ExamplesScreen) and len(keys(app)) == 10)
        screen = text_of(app)
        assert "brisk-owl against ⚑ main  exact_match  7 fixed, 3 broke of 100" in screen
        assert "10 fixed or broken  +0.03 [0.01, 0.05] p 0.340 ~ can be chance" in screen
        assert cells(app, "e1")[2:] == ["ls -t | head -1", "ls | head -1", "ls -t | head -1"]
        assert "\x1b" not in screen
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))


async def test_an_example_is_read_in_full_and_copied() -> None:
    async with opened(examples.store()) as (app, pilot):
        await show(app, pilot, "brisk-owl")
        await until(pilot, lambda: len(keys(app)) == 10)
        await pilot.press("j", "y")
        assert app.clipboard.splitlines()[:2] == [
            "prompt",
            "list the 2 newest files of a folder with a [b]name[/b]␛[2J",
        ]
        assert "brisk-owl  true\nls -t | head -2" in app.clipboard
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        assert "with a [b]name[/b]␛[2J" in text_of(app)


async def test_the_preview_follows_the_cursor() -> None:
    async with opened(examples.store()) as (app, pilot):
        await show(app, pilot, "brisk-owl")
        await until(pilot, lambda: "list the 1 newest" in app.screen.query_one("#preview-0", Line).text.plain)
        await pilot.press("G")
        await until(pilot, lambda: "list the 10 newest" in app.screen.query_one("#preview-0", Line).text.plain)
        assert app.screen.query_one("#preview-3", Line).text.plain.startswith("brisk-owl  false")


async def test_kind_and_category_narrow_the_list() -> None:
    async with opened(examples.store()) as (app, pilot):
        await show(app, pilot, "brisk-owl")
        await until(pilot, lambda: len(keys(app)) == 10)
        await pilot.press("v")
        assert keys(app) == [f"e{number}" for number in range(1, 8)]
        await pilot.press("v")
        assert keys(app) == ["e8", "e9", "e10"]
        await pilot.press("v", "f")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        assert "git  4" in text_of(app)
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, ExamplesScreen) and len(keys(app)) == 4)
        assert "4 fixed or broken in git" in text_of(app)
        await pilot.press("v", "v")
        assert keys(app) == []
        assert "none of these" in text_of(app)


async def test_another_score_is_read() -> None:
    store = examples.store()
    async with opened(store) as (app, pilot):
        await show(app, pilot, "brisk-owl")
        await until(pilot, lambda: len(keys(app)) == 10)
        store.compared["brisk-owl"] = examples.comparison(key="chrf")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        assert "completion_tokens" not in text_of(app)
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, ExamplesScreen) and len(keys(app)) == 2)
        assert "chrf  30 fixed, 12 broke" in text_of(app)
        assert store.script.calls[-1][1][2] == "chrf"


async def test_candidates_are_stepped_through() -> None:
    async with opened(examples.store()) as (app, pilot):
        await show(app, pilot, "brisk-owl", "warm-fox")
        await until(pilot, lambda: "brisk-owl 1 of 2" in text_of(app))
        await pilot.press("n")
        assert "warm-fox 2 of 2 against" in text_of(app)
        assert "p 2e-12" in text_of(app)
        await pilot.press("n", "p")
        assert "warm-fox 2 of 2" in text_of(app)


async def test_a_row_without_a_score_shows_the_most_important_one() -> None:
    store = examples.store()
    async with opened(store) as (app, pilot):
        store.script.give("examples", UsageError("no such score"))
        await show(app, pilot, "brisk-owl", key="reward")
        await until(pilot, lambda: len(keys(app)) == 10)
        assert "no such score" not in text_of(app)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (ExampleComparison(0, 0), "no per-example results of both"),
        (ExampleComparison(5, 5, 5), "share no score"),
        (ExampleComparison(5, 5, 5, key="exact_match"), "no example differs in exact_match"),
    ],
)
async def test_an_empty_list_says_why(found: ExampleComparison, text: str) -> None:
    store = examples.store()
    store.compared["brisk-owl"] = found
    async with opened(store) as (app, pilot):
        await show(app, pilot, "brisk-owl")
        await until(pilot, lambda: text in text_of(app))
        await pilot.press("enter", "y", "s", "f", "v")
        assert isinstance(app.screen, ExamplesScreen)


async def test_a_failure_is_told_and_can_be_tried_again() -> None:
    store = examples.store()
    async with opened(store) as (app, pilot):
        store.script.give("examples", UserError("predictions of main cannot be read", hint="dvc checkout"))
        await show(app, pilot, "brisk-owl")
        await until(pilot, lambda: "predictions of main cannot be read; dvc checkout" in text_of(app))
        await pilot.press("r")
        await until(pilot, lambda: len(keys(app)) == 10)
        assert "cannot be read" not in text_of(app)


async def test_a_late_answer_is_dropped() -> None:
    store = examples.store()
    async with opened(store) as (app, pilot):
        late = store.script.hold("examples", ExampleComparison(0, 0))
        await show(app, pilot, "brisk-owl")
        await until(pilot, late.entered.is_set)
        await pilot.press("r")
        await until(pilot, lambda: len(keys(app)) == 10)
        late.released.set()
        await pilot.pause(0.1)
        assert len(keys(app)) == 10


async def test_a_crash_is_reported_and_the_screen_goes_on() -> None:
    store = examples.store()
    async with opened(store) as (app, pilot):
        store.script.give("scores", RuntimeError("bug"))
        await show(app, pilot, "brisk-owl")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await pilot.press("escape")
        await until(pilot, lambda: "r tries again" in text_of(app))
        await pilot.press("r")
        await until(pilot, lambda: len(keys(app)) == 10)
