"""What 80 columns still tell: titles, footers, help; and keys that say why they do nothing."""

from dataclasses import replace
from typing import Any

import pytest

from tests.ui import examples, project
from tests.ui.driving import opened, text_of, until
from tests.ui.fakes import FakeRunner
from tests.ui.launching import form, show
from tui.core.experiments import Experiment
from tui.core.ports import QueryResult
from tui.screens.compare.screen import CompareScreen
from tui.screens.dialogs import Choose, TextDialog
from tui.screens.launch.form import ParamForm
from tui.screens.query.saved import choices
from tui.screens.run.curves import charts
from tui.screens.run.screen import RunScreen
from tui.screens.title import Part, fitted
from tui.widgets.keybar import KeyBar
from tui.widgets.table import ListRows

SMALL = (80, 24)


def footer(app: Any) -> str:
    """The line of keys."""
    return str(app.screen.query_one(KeyBar).render())


def notes(app: Any) -> str:
    """All notifications."""
    return "\n".join(one.message for one in app._notifications)


@pytest.mark.parametrize(
    ("width", "told"),
    [(40, "Compare  rows hidden  legend"), (23, "Compare  hid  legend"), (12, "Compare  hid"), (3, "Compare  hid")],
)
def test_what_matters_least_is_shortened_first(width: int, told: str) -> None:
    parts = [Part("Compare"), Part("rows hidden", "hid", rank=2), Part("legend", rank=1), Part("")]
    assert fitted(parts, width).plain == told


async def test_a_comparison_says_how_to_see_hidden_rows_and_how_to_leave() -> None:
    rows = [replace(one, name=f"{one.name}-with-a-name") for one in project.experiments() if one.kind == "experiment"]
    async with opened(size=SMALL) as (app, pilot):
        app.bench.settings.update(only_differences=True)
        await app.push_screen(CompareScreen(app.bench, rows[:3]))
        await pilot.pause()
        title = text_of(app).splitlines()[0]
        assert "equal hidden (d)" in title
        assert "…" not in title
        assert "esc Back" in footer(app)
        await pilot.resize_terminal(50, 20)
        await until(pilot, lambda: footer(app).endswith("esc Back  ? Help") and len(footer(app)) <= 48)
        await pilot.resize_terminal(160, 40)
        await until(pilot, lambda: "equal rows hidden (d shows them)" in text_of(app))
        assert "▼ worse" in text_of(app)


async def test_the_title_of_examples_keeps_its_counts() -> None:
    async with opened(examples.store(), size=SMALL) as (app, pilot):
        await until(pilot, lambda: app.screen.query_one("#table").rows.num_rows)
        await pilot.press("j", "space", "space", "c", "e")
        await until(pilot, lambda: " broke of " in text_of(app).splitlines()[0])
        assert "n Next" not in footer(app)  # there is only one


async def test_keys_of_a_run_are_offered_where_they_do_something() -> None:
    store = project.store()
    store.recorded["brisk-owl"] = [one for one in project.curves() if one.stage == "train"][:1]
    rows = {one.label: one for one in store.listing}
    async with opened(store, size=SMALL) as (app, pilot):
        await app.push_screen(RunScreen(app.bench, rows["brisk-owl"]))
        await until(pilot, lambda: "v Next panel" in footer(app) and "train/loss" in text_of(app))
        assert "Next stage" not in footer(app)
        assert "More charts" not in footer(app)
        await pilot.press("escape")
        await app.push_screen(RunScreen(app.bench, rows["calm-ant"]))
        await until(pilot, lambda: "n Next stage  m More charts" in footer(app))


async def test_the_only_curve_is_not_stepped_through() -> None:
    store = project.store()
    store.recorded = {"main": project.curves()[1:2]}
    rows = {one.label: one for one in store.listing}
    async with opened(store, size=SMALL) as (app, pilot):
        await app.push_screen(CompareScreen(app.bench, [rows["main"], rows["brisk-owl"]]))
        await until(pilot, lambda: "train  train/loss" in text_of(app))
        assert "1 of 1" not in text_of(app)
        assert "Next curve" not in footer(app)
        await pilot.press("escape")
        store.recorded = {"main": project.curves()}
        await app.push_screen(CompareScreen(app.bench, [rows["main"], rows["brisk-owl"]]))
        await until(pilot, lambda: "m Next curve" in footer(app))


async def test_while_a_filter_is_typed_no_letter_is_offered_as_a_key() -> None:
    async with opened(size=SMALL) as (app, pilot):
        await until(pilot, lambda: app.screen.query_one("#table").rows.num_rows)
        assert footer(app).startswith("enter Open  space Mark")
        await pilot.press("slash")
        await until(pilot, lambda: footer(app) == "f1 Help")
        await pilot.press("escape")
        await until(pilot, lambda: footer(app).startswith("enter Open  space Mark"))


async def test_help_is_in_two_columns() -> None:
    async with opened(size=(100, 60)) as (app, pilot):
        await show(app, pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        lines = text_of(app).splitlines()
        starts = {
            line.index(words)
            for line in lines
            for words in ("Start the run", "Back to the value", "Leave finetui")
            if words in line
        }
        assert len(starts) == 1


@pytest.mark.parametrize(
    ("status", "command"), [("queued", "dvc queue remove far-cry"), ("running", "dvc queue kill far-cry")]
)
async def test_a_run_that_dvc_owns_is_ended_by_dvc(status: Any, command: str) -> None:
    store = project.store()
    store.listing = [Experiment("c" * 40, "experiment", name="far-cry", baseline=project.MAIN, status=status)]
    async with opened(store) as (app, pilot):
        await until(pilot, lambda: app.screen.query_one("#table").rows.num_rows)
        await pilot.press("x")
        assert command in notes(app)
        assert app.bench.runner.stopped == []


async def test_a_finished_run_has_nothing_to_stop() -> None:
    async with opened() as (app, pilot):
        await until(pilot, lambda: app.screen.query_one("#table").rows.num_rows)
        await pilot.press("j", "j", "x")
        assert notes(app) == ""


async def test_a_section_without_any_effect_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(size=(120, 40)) as (app, pilot):
        await show(app, pilot)
        form(app).set_rows(ListRows([("train.seed", {"key": "train.seed"})]))
        monkeypatch.setattr(ParamForm, "show", lambda *_, **__: None)
        await pilot.press("1")
        assert "a shows them" in notes(app)
        assert form(app).cursor_key == "train.seed"


async def test_a_key_that_contains_the_text_comes_before_one_that_only_speaks_of_it() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot)
        await pilot.press("slash", *"lora", "enter")
        await until(pilot, lambda: "find: lora" in text_of(app))
        assert ".lora." in (form(app).cursor_key or "")


async def test_choices_say_which_keys_choose() -> None:
    runner = FakeRunner(values=project.params())
    async with opened(runner=runner, size=SMALL) as (app, pilot):
        await show(app, pilot)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        assert "enter choose  esc cancel" in text_of(app)
        assert "▔" not in text_of(app)


async def test_metrics_that_matter_come_first_in_lists() -> None:
    store = project.store()
    store.script.give("query", QueryResult(("key",), (("align/kl",), ("base/chrf",), ("test/exact_match",)), False))
    async with opened(store) as (app, pilot):
        await until(pilot, lambda: app.screen.query_one("#table").rows.num_rows)
        await app.push_screen(RunScreen(app.bench, store.listing[1]))
        await until(pilot, lambda: app.screen.query_one("#metrics").rows.num_rows)
        assert app.screen.query_one("#metrics").rows.key(0) == "test/exact_match"
    query = next(one for one in store.saved_queries() if one.parameters)
    assert choices(store, project.runner(), query)["metric"][0] == "test/exact_match"


def test_splits_of_a_stage_are_not_named_after_it() -> None:
    series = [project.curve("align", name, 5, 1.0, 2.0) for name in ("align/reward", "align_validation/reward")]
    assert [one.label for one in charts(series, "align")[0].series] == ["align", "validation"]
