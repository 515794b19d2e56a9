"""The app as a whole: help, palette, command log, quitting, themes, remembered state."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ui import project
from tests.ui.driving import opened, text_of, until
from tests.ui.fakes import FakeRunner
from tui.commands import COMMANDS, Command, bindings
from tui.screens.dialogs import TextDialog
from tui.screens.experiments.screen import ExperimentsScreen
from tui.screens.run.screen import RunScreen
from tui.settings import STATE_FILE, Settings, ViewState, project_settings
from tui.widgets.filterbar import FilterBar, FilterInput


async def ready(app: Any, pilot: Any) -> None:
    """Wait until the home screen is filled."""
    await until(pilot, lambda: app.screen.query_one("#table").rows.num_rows)


@pytest.mark.parametrize("scope", [scope for scope in COMMANDS if scope != "app"])
def test_no_key_means_two_things_on_one_screen(scope: Any) -> None:
    used = [key for command in (*COMMANDS[scope], *COMMANDS["app"]) for key in command.keys.split(",")]
    assert len(used) > 10
    assert {key for key in used if used.count(key) > 1} == set()


def test_every_command_of_a_screen_has_an_action() -> None:
    from tui.screens.compare.examples import ExamplesScreen
    from tui.screens.compare.screen import CompareScreen
    from tui.screens.history.screen import HistoryScreen
    from tui.screens.launch.screen import LaunchScreen
    from tui.screens.query.screen import QueryScreen

    screens = (ExperimentsScreen, RunScreen, CompareScreen, ExamplesScreen, HistoryScreen, LaunchScreen, QueryScreen)
    assert {screen.scope for screen in screens} == set(COMMANDS) - {"app"}
    missing = [
        (screen.scope, command.action)
        for screen in screens
        for command in COMMANDS[screen.scope]
        if not hasattr(screen, f"action_{command.action}")
    ]
    assert missing == []
    assert len(bindings("experiments")) == len(COMMANDS["experiments"])


def test_keys_are_shown_as_people_read_them() -> None:
    assert Command("launch", "ctrl+s", "", "").shown_key == "^s"
    assert Command("filter", "slash", "", "").shown_key == "/"


async def test_help_lists_every_key_of_the_screen() -> None:
    async with opened(size=(80, 60)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        screen = text_of(app)
        for command in COMMANDS["experiments"]:
            assert command.help in screen
        assert "runs go on without it" in screen
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))


async def test_the_command_log_can_be_read_and_copied() -> None:
    async with opened() as (app, pilot):
        await ready(app, pilot)
        await pilot.press("at")
        await until(pilot, lambda: "dvc repro" in text_of(app))
        await pilot.press("y")
        assert app.clipboard == "git rev-parse HEAD\ndvc repro"


async def test_the_palette_starts_commands() -> None:
    async with opened() as (app, pilot):
        await ready(app, pilot)
        await pilot.press("colon")
        await until(pilot, lambda: type(app.screen).__name__ == "CommandPalette")
        await pilot.press(*"turn sort")
        await until(pilot, lambda: "Turn the order" in text_of(app))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: app.bench.settings.state.is_turned)


async def test_quitting_says_that_runs_go_on() -> None:
    async with opened() as (app, pilot):
        await ready(app, pilot)
        said: list[dict[str, Any]] = []
        leave, app.exit = app.exit, lambda **words: said.append(words)
        await pilot.press("q")
        await until(pilot, lambda: said)
        app.exit = leave
        assert said == [{"message": "2 runs go on; finetui shows them again."}]


async def test_escape_never_quits() -> None:
    async with opened() as (app, pilot):
        await ready(app, pilot)
        await pilot.press("escape", "escape", "escape")
        assert app.is_running
        assert isinstance(app.screen, ExperimentsScreen)


async def test_read_only_says_so_and_offers_nothing_that_changes() -> None:
    runner = FakeRunner([project.run_of_fox()], project.params())
    async with opened(runner=runner, read_only=True) as (app, pilot):
        await ready(app, pilot)
        assert "read-only" in text_of(app)
        assert "New run" not in text_of(app)
        await pilot.press("j", "j", "j", "x")
        assert isinstance(app.screen, ExperimentsScreen)
        await pilot.press("enter")
        await until(pilot, lambda: "186/300" in text_of(app))
        await pilot.press("x")
        assert isinstance(app.screen, RunScreen)
        assert runner.stopped == []


async def test_a_theme_is_kept() -> None:
    settings = Settings()
    async with opened(settings=settings) as (app, pilot):
        await ready(app, pilot)
        app.theme = "nord"
        await until(pilot, lambda: settings.state.theme == "nord")
    async with opened(settings=settings) as (app, pilot):
        assert app.theme == "nord"


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light", "textual-light"])
async def test_other_themes_draw_every_screen(theme: str) -> None:
    settings = Settings()
    settings.update(theme=theme)
    async with opened(settings=settings, size=(80, 24)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: "186/300" in text_of(app))
        await pilot.press("escape", "c")
        await until(pilot, lambda: "Compare 2" in text_of(app))
        await pilot.press("escape", "n")
        await until(pilot, lambda: "train.objective" in text_of(app))


def test_state_is_written_and_read_back(tmp_path: Path) -> None:
    settings = project_settings(tmp_path)
    settings.update(sort="test/loss", marks=("a", "b"), baseline="x")
    again = project_settings(tmp_path).state
    assert again == ViewState(sort="test/loss", marks=("a", "b"), baseline="x")
    assert [path.name for path in (tmp_path / STATE_FILE).parent.iterdir()] == ["state.json"]


@pytest.mark.parametrize("damaged", ["", "{", "[1]", '{"sort": 3, "marks": "a"}', "\x00", "[" * 100_000])
def test_damaged_state_counts_as_absent(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(damaged, encoding="utf-8")
    assert Settings(path).state == ViewState()


def test_what_is_right_in_a_damaged_state_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"sort": "when", "is_flat": "yes", "folded": ["a", 1], "later": 1}), encoding="utf-8")
    assert Settings(path).state == ViewState(sort="when")


def test_a_disk_that_refuses_the_state_is_a_problem_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(tmp_path / "file" / "state.json")
    settings.update(sort="when")
    assert settings.state.sort == "when"
    assert settings.problem is not None
    assert "cannot remember" in settings.problem


async def test_screens_survive_a_tiny_terminal_and_grow_again() -> None:
    async with opened(size=(20, 6)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("escape", "c", "escape", "n")
        await until(pilot, lambda: type(app.screen).__name__ == "LaunchScreen")
        await pilot.press("escape")
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: "◐ warm-fox train 62%" in text_of(app))
        assert "? Help" in text_of(app)


async def test_ctrl_c_names_the_key_that_leaves() -> None:
    async with opened() as (app, pilot):
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "q leaves finetui" in text_of(app))


async def test_a_long_message_leaves_room_to_type_a_filter() -> None:
    async with opened(size=(80, 24)) as (app, pilot):
        await pilot.press("slash")
        bar = app.screen.query_one(FilterBar)
        bar.show_counts("no param or metric " * 8)
        await until(pilot, lambda: "no param" in text_of(app))
        assert bar.query_one(FilterInput).region.width >= 24
