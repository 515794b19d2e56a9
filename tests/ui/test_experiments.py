"""The home screen: answers in every order, browsing, sort, filter, marks, stop."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from tests.ui import project
from tests.ui.driving import opened, text_of, until
from tests.ui.fakes import FakeRunner, FakeStore
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.screens.compare.screen import CompareScreen
from tui.screens.dialogs import Confirm, TextDialog
from tui.screens.experiments.screen import ExperimentsScreen
from tui.screens.run.screen import RunScreen
from tui.settings import Settings
from tui.widgets.table import VirtualTable


def names(app: Any) -> list[str]:
    """The name column from top to bottom."""
    rows = app.screen.query_one("#table", VirtualTable).rows
    cells = [rows.cell(row, "name") for row in range(rows.num_rows)]
    return [(cell if isinstance(cell, str) else cell[0]).strip() for cell in cells]


async def listed(app: Any, pilot: Any) -> None:
    """Wait until the experiments are there."""
    await until(pilot, lambda: names(app))


async def test_experiments_arrive_in_a_tree() -> None:
    async with opened() as (app, pilot):
        await listed(app, pilot)
        assert names(app) == [
            "workspace",
            "▾ main 3f2a91c",
            "✓ brisk-owl",
            "◐ warm-fox train 62%",
            "○ late-bee",
            "✗ cold-elk",
            "⊘ calm-ant",
            "▾ 77c01be Start from the template",
            "✓ tiny-gnu",
        ]
        screen = text_of(app)
        assert "◐ 1 running" in screen
        assert "○ 1 queued" in screen
        assert "▲ +0.03" in screen
        assert "▼ -0.44" in screen


async def test_a_stale_answer_is_dropped() -> None:
    store = project.store()
    late = store.script.hold("experiments", [Experiment("b" * 40, "commit", subject="stale")])
    async with opened(store) as (app, pilot):
        await until(pilot, late.entered.is_set)
        await pilot.press("r")
        await listed(app, pilot)
        late.released.set()
        await until(pilot, lambda: store.script.count("experiments") == 2)
        await pilot.pause(0.05)
        assert names(app)[0] == "workspace"


async def test_a_failure_is_told_and_the_next_answer_recovers() -> None:
    store = project.store()
    store.script.give("experiments", UserError("not a Git repository", "/home/ada/nl2sh", "run git init"))
    async with opened(store) as (app, pilot):
        await until(pilot, lambda: "not a Git repository" in text_of(app))
        await pilot.press("r")
        await listed(app, pilot)
        assert "not a Git repository" not in text_of(app)


async def test_a_crash_opens_a_dialog_once_and_polling_goes_on() -> None:
    store = project.store()
    for _ in range(3):
        store.script.give("experiments", ZeroDivisionError("surprise"))
    async with opened(store, polls=True) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        assert "ZeroDivisionError: surprise" in text_of(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))
        await listed(app, pilot)
        assert isinstance(app.screen, ExperimentsScreen)


async def test_an_empty_project_says_what_to_do() -> None:
    store = FakeStore([Experiment("workspace", "workspace"), Experiment(project.MAIN, "commit", refs=("main",))])
    async with opened(store, FakeRunner()) as (app, pilot):
        await listed(app, pilot)
        assert "No experiments yet: press n" in text_of(app)


async def test_nothing_is_painted_when_nothing_changed() -> None:
    store = project.store()
    async with opened(store, polls=True, size=(200, 50)) as (app, pilot):
        await listed(app, pilot)
        await until(pilot, lambda: "█" in text_of(app))
        asked, painted = store.script.count("experiments"), []
        app._display, display = lambda _screen, update: painted.append(update), app._display
        await until(pilot, lambda: store.script.count("experiments") > asked + 5)
        app._display = display
        assert painted == []


async def test_the_best_come_first_within_their_commit_then_in_one_list() -> None:
    async with opened() as (app, pilot):
        await listed(app, pilot)
        await pilot.press("s")
        assert names(app)[2:5] == ["✓ brisk-owl", "⊘ calm-ant", "◐ warm-fox train 62%"]
        await pilot.press("S")
        assert names(app)[2:5] == ["◐ warm-fox train 62%", "⊘ calm-ant", "✓ brisk-owl"]
        assert names(app)[5:7] == ["○ late-bee", "✗ cold-elk"]
        await pilot.press("S", "t")
        assert names(app)[0] == "✓ brisk-owl"
        assert names(app)[-1] in {"○ late-bee", "✗ cold-elk"}


async def test_a_lower_loss_is_better() -> None:
    settings = Settings()
    settings.update(sort="test/loss", is_flat=True)
    async with opened(settings=settings) as (app, pilot):
        await listed(app, pilot)
        assert names(app)[0] == "workspace"
        assert names(app)[2] == "✓ brisk-owl"


async def test_every_sortable_column_has_its_turn_and_then_none() -> None:
    settings = Settings()
    async with opened(settings=settings) as (app, pilot):
        await listed(app, pilot)
        seen = []
        for _ in range(30):
            await pilot.press("s")
            seen.append(settings.state.sort)
            if settings.state.sort is None:
                break
        assert seen[0] == "test/exact_match"
        assert seen[-1] is None
        assert {"name", "when", "train.learning_rate", "test/loss"} <= set(seen)


async def test_the_filter_previews_counts_and_is_given_back_on_escape() -> None:
    async with opened() as (app, pilot):
        await listed(app, pilot)
        await pilot.press("slash", *"method=lora")
        await until(pilot, lambda: "6 of 9" in text_of(app))
        assert "○ late-bee" not in names(app)
        await pilot.press("enter")
        assert app.focused.id == "table"
        assert "filter: method=lora" in text_of(app)
        await pilot.press("slash", "right", *" owl")
        await until(pilot, lambda: "1 of 9" in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: "6 of 9" in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: len(names(app)) == 9)


async def test_a_wrong_filter_is_explained_and_hides_nothing() -> None:
    async with opened() as (app, pilot):
        await listed(app, pilot)
        await pilot.press("slash", *"nosuch>3")
        await until(pilot, lambda: "no param or metric 'nosuch'" in text_of(app))
        assert len(names(app)) == 9
        await pilot.press("enter")
        assert "filter: nosuch>3 · ✗ no param or metric 'nosuch'" in text_of(app)


async def test_marked_rows_are_compared_and_marks_are_remembered() -> None:
    settings = Settings()
    async with opened(settings=settings) as (app, pilot):
        await listed(app, pilot)
        await pilot.press("j", "j", "space", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        assert len(settings.state.marks) == 2
        assert "⚑ brisk-owl" in text_of(app)
        assert "warm-fox" in text_of(app)


async def test_a_single_row_is_compared_with_its_commit() -> None:
    async with opened() as (app, pilot):
        await listed(app, pilot)
        await pilot.press("j", "j", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        assert "⚑ main" in text_of(app)


async def test_a_pinned_baseline_changes_the_differences() -> None:
    async with opened() as (app, pilot):
        await listed(app, pilot)
        await pilot.press("j", "j", "b")
        await until(pilot, lambda: "⚑ brisk-owl" in text_of(app))
        assert "▼ -0.47" in text_of(app)
        await pilot.press("b")
        await until(pilot, lambda: "▼ -0.44" in text_of(app))


async def test_experiments_of_a_commit_can_be_folded() -> None:
    async with opened() as (app, pilot):
        await listed(app, pilot)
        await pilot.press("j", "j", "z")
        assert names(app)[1:3] == ["▸ main 3f2a91c (5)", "▾ 77c01be Start from the template"]
        await pilot.press("z")
        assert len(names(app)) == 9


async def test_a_filter_finds_what_is_folded() -> None:
    settings = Settings()
    settings.update(folded=(project.MAIN,))
    async with opened(settings=settings) as (app, pilot):
        await listed(app, pilot)
        assert "▸ main 3f2a91c (5)" in names(app)
        await pilot.press("slash", *"owl", "enter")
        assert names(app) == ["▾ main 3f2a91c", "✓ brisk-owl"]
        await pilot.press("z")
        assert settings.state.folded == (project.MAIN,)
        await pilot.press("escape")
        assert "▸ main 3f2a91c (5)" in names(app)


async def test_a_stage_that_still_runs_is_never_quite_done() -> None:
    fox = next(one for one in project.experiments() if one.name == "warm-fox")
    store = FakeStore([*project.experiments()[:2], replace(fox, fraction=1.0)])
    async with opened(store, FakeRunner()) as (app, pilot):
        await listed(app, pilot)
        assert names(app)[2] == "◐ warm-fox train 99%"


async def test_curves_get_a_column_only_where_there_are_any() -> None:
    store = project.store()
    found, store.recorded = store.recorded, {}
    async with opened(store, polls=True, size=(200, 30)) as (app, pilot):
        await listed(app, pilot)
        table = app.screen.query_one("#table", VirtualTable)
        await until(pilot, lambda: store.script.count("series") >= 9)
        assert "curve" not in [column.title for column in table.columns]
        store.recorded = found
        store.listing[3] = replace(store.listing[3], fraction=0.7)
        await until(pilot, lambda: "curve" in [column.title for column in table.columns])
        await until(pilot, lambda: "█" in text_of(app))


async def test_files_that_are_not_there_are_counted_in_the_status_line() -> None:
    rows = [replace(project.experiments()[0], missing=("a", "b", "c", "d")), project.experiments()[1]]
    async with opened(FakeStore(rows), FakeRunner()) as (app, pilot):
        await listed(app, pilot)
        await until(pilot, lambda: "4 declared files are not available locally: a, b, c, …" in text_of(app))


async def test_enter_opens_the_run() -> None:
    async with opened() as (app, pilot):
        await listed(app, pilot)
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


async def test_the_error_of_a_row_is_in_the_status_line() -> None:
    async with opened() as (app, pilot):
        await listed(app, pilot)
        await pilot.press(*"jjjjj")
        await until(pilot, lambda: "loss is NaN at step 40" in text_of(app))


async def test_a_row_that_cannot_be_read_is_told_from_one_that_is_done() -> None:
    rows = project.experiments()
    damage = "params.yaml: not YAML"
    rows[2], rows[7] = replace(rows[2], error=damage), replace(rows[7], error=damage)
    async with opened(FakeStore(rows[:8]), FakeRunner()) as (app, pilot):
        await listed(app, pilot)
        assert names(app)[2] == "! brisk-owl"
        assert names(app)[7] == "! 77c01be Start from the template"
        assert "✗ cold-elk" in names(app)


async def test_names_in_any_writing_keep_the_columns_straight() -> None:
    words = [
        "学習率を下げた実験",
        "emoji-🚀🔥",
        "family-👨‍👩‍👧‍👦",
        "heart-❤️-👍🏽",
        "한국어실험이름이아주길어서",
        "cafe\u0301",
        "x" * 90,
    ]
    values = [-123.456, 1e300, 1e-300, float("nan"), float("-inf"), 0.1 + 0.2, 10**40]
    rows = [project.experiment(name, value, value, 5) for name, value in zip(words, values, strict=True)]
    for size in ((80, 24), (200, 50)):
        async with opened(FakeStore([*project.experiments()[:2], *rows]), FakeRunner(), size=size) as (app, pilot):
            await listed(app, pilot)
            await pilot.press("s")
            lines = text_of(app).splitlines()[2:12]
            assert {cell_len(line) for line in lines} == {size[0]}
            ends = {cell_len(line[: line.index("lora") + 4]) for line in lines[1:10]}
            assert len(ends) == 1


async def test_stop_asks_and_cancel_is_the_default() -> None:
    runner = project.runner()
    async with opened(runner=runner) as (app, pilot):
        await listed(app, pilot)
        await pilot.press("j", "j", "j", "x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        assert runner.stopped == []
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: runner.stopped == ["r1"])


async def test_only_what_is_running_can_be_stopped() -> None:
    async with opened() as (app, pilot):
        await listed(app, pilot)
        await pilot.press("j", "j", "x")
        assert isinstance(app.screen, ExperimentsScreen)


async def test_names_and_shas_are_copied() -> None:
    async with opened() as (app, pilot):
        await listed(app, pilot)
        await pilot.press("j", "y")
        assert app.clipboard == project.MAIN
        await pilot.press("Y")
        assert app.clipboard == "main"


async def test_names_from_the_repository_cannot_control_the_terminal() -> None:
    hostile = project.experiment("\x1b[2Jboo[red]", 0.5, 1.0, 5, subject="\x1b]0;owned\x07", error="[bold]\x1b[31mbad")
    store = FakeStore([*project.experiments(), hostile])
    async with opened(store, FakeRunner()) as (app, pilot):
        await listed(app, pilot)
        await pilot.press(*"jjjjjjj")
        await until(pilot, lambda: "[bold]␛[31mbad" in text_of(app))
        assert "\x1b" not in text_of(app)
        assert "␛[2Jboo[red]" in text_of(app)


async def test_the_view_of_a_project_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "tmp" / "state.json"
    async with opened(settings=Settings(path)) as (app, pilot):
        await listed(app, pilot)
        await pilot.press("s", "t", "space")
    again = Settings(path).state
    assert (again.sort, again.is_flat, len(again.marks)) == ("test/exact_match", True, 1)


async def test_the_mouse_sorts_by_a_title_and_presses_a_key_of_the_footer() -> None:
    settings = Settings()
    async with opened(settings=settings) as (app, pilot):
        await listed(app, pilot)
        title = text_of(app).splitlines()[2].index("exact_match")
        await pilot.click("#table", offset=(title, 1))
        await until(pilot, lambda: settings.state.sort == "test/exact_match")
        await pilot.click("#table", offset=(title, 1))
        await until(pilot, lambda: settings.state.is_turned)
        await pilot.click("#table", offset=(title, 1))
        await until(pilot, lambda: settings.state.sort is None)
        footer = text_of(app).splitlines()[-1].index("Filter")
        await pilot.click("KeyBar", offset=(footer, 0))
        await until(pilot, lambda: type(app.focused).__name__ == "FilterInput")
        await until(pilot, lambda: "key=value" in text_of(app))


async def test_the_other_metric_becomes_the_main_one() -> None:
    settings = Settings()
    async with opened(settings=settings) as (app, pilot):
        await listed(app, pilot)
        await pilot.press("m")
        await until(pilot, lambda: "⚑ test/loss" in text_of(app))
        assert "▼ +0.02" in text_of(app)


async def test_the_main_metric_is_the_most_important_one_also_when_only_one_row_has_it() -> None:
    rows = [one for one in project.experiments() if one.name in {None, "cold-elk", "late-bee"}]
    timing = {"data/metrics/train/resources.json": {"duration_s": 3.0}}
    rows = [replace(one, metrics=timing) if one.kind != "commit" else one for one in rows]
    async with opened(FakeStore(rows), FakeRunner()) as (app, pilot):
        await listed(app, pilot)
        assert "⚑ test/exact_match" in text_of(app)


async def test_rows_appear_before_their_values_and_fill_in_by_themselves() -> None:
    store = project.store()
    outlines = [
        replace(row, params={}, metrics={}, is_pending=True) if row.name == "brisk-owl" else row
        for row in store.listing
    ]
    store.script.give("experiments", outlines)
    filled = store.script.hold("experiments", store.listing)
    async with opened(store, polls=True) as (app, pilot):
        await listed(app, pilot)
        assert "filling in 1 row…" in text_of(app)
        assert app.screen.query_one("#table", VirtualTable).select(f"{project.MAIN}/brisk-owl")
        await until(pilot, lambda: "DVC is being asked" in text_of(app))
        assert "▲ +0.03" not in text_of(app)
        filled.released.set()
        await until(pilot, lambda: "▲ +0.03" in text_of(app))
        assert "filling in" not in text_of(app)
        assert "DVC is being asked" not in text_of(app)
        assert app.screen.query_one("#table", VirtualTable).cursor_key == f"{project.MAIN}/brisk-owl"
