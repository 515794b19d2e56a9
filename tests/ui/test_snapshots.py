"""What users see, at the smallest size and at a wide one."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.ui import examples, project, story
from tests.ui.driving import text_of, until
from tui.app import FinetuiApp
from tui.screens.base import PollingScreen
from tui.screens.launch.screen import LaunchScreen
from tui.settings import Settings

Gesture = Callable[[Any], Awaitable[None]]
SIZES = [(80, 24), (200, 50)]


@pytest.fixture(autouse=True)
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second poll, no delay."""
    monkeypatch.setattr(PollingScreen, "INTERVAL_S", 0.05)
    monkeypatch.setattr(LaunchScreen, "PLAN_DELAY_S", 0.01)


def app(theme: str = "textual-dark") -> FinetuiApp:
    """The app on the project."""
    settings = Settings()
    settings.update(theme=theme)
    return FinetuiApp(project.store(), project.runner(), settings, clock=lambda: project.NOW)


async def at_home(pilot: Any) -> None:
    """Rows and curves are there."""
    await until(pilot, lambda: "brisk-owl" in text_of(pilot.app))
    if pilot.app.size.width > 100:
        await until(pilot, lambda: "█" in text_of(pilot.app))


def after(*keys: str, seen: str) -> Gesture:
    """Press keys on the home screen, and wait until something is seen."""

    async def gesture(pilot: Any) -> None:
        await at_home(pilot)
        await pilot.press(*keys)
        await until(pilot, lambda: seen in text_of(pilot.app))
        await pilot.pause(0.1)

    return gesture


@pytest.mark.parametrize("size", SIZES)
def test_home(snap_compare: Any, size: tuple[int, int]) -> None:
    gesture = after("s", "j", "j", "space", seen="1 marked")
    assert snap_compare(app(), terminal_size=size, run_before=gesture)


@pytest.mark.parametrize("size", SIZES)
def test_run(snap_compare: Any, size: tuple[int, int]) -> None:
    gesture = after("j", "j", "j", "enter", seen="'step': 175")
    assert snap_compare(app(), terminal_size=size, run_before=gesture)


@pytest.mark.parametrize("size", SIZES)
def test_compare(snap_compare: Any, size: tuple[int, int]) -> None:
    gesture = after("j", "space", "space", "space", "c", seen="train/loss  1 of 6")
    assert snap_compare(app(), terminal_size=size, run_before=gesture)


def examined(theme: str = "textual-dark") -> FinetuiApp:
    """The app on a project with per-example results."""
    settings = Settings()
    settings.update(theme=theme)
    return FinetuiApp(examples.store(), project.runner(), settings, clock=lambda: project.NOW)


@pytest.mark.parametrize("size", SIZES)
def test_compare_with_examples(snap_compare: Any, size: tuple[int, int]) -> None:
    gesture = after("j", "space", "space", "space", "c", seen="p 2e-12" if size[0] > 100 else "p 0.340")
    assert snap_compare(examined(), terminal_size=size, run_before=gesture)


@pytest.mark.parametrize("size", SIZES)
def test_examples(snap_compare: Any, size: tuple[int, int]) -> None:
    async def gesture(pilot: Any) -> None:
        await after("j", "space", "space", "c", seen="p 0.340")(pilot)
        await pilot.press("e")
        await until(pilot, lambda: "10 fixed or broken" in text_of(pilot.app))
        await pilot.press("j")
        await pilot.pause(0.1)

    assert snap_compare(examined(), terminal_size=size, run_before=gesture)


@pytest.mark.parametrize("size", SIZES)
def test_launch(snap_compare: Any, size: tuple[int, int]) -> None:
    async def gesture(pilot: Any) -> None:
        await after("n", seen="3 of 5 stages run")(pilot)
        # only some keys, so that a new param does not change the picture
        await pilot.press("slash", *"train.l", "enter", "down", "right")
        await until(pilot, lambda: "1 change" in text_of(pilot.app) and "finding out" not in text_of(pilot.app))

    assert snap_compare(app(), terminal_size=size, run_before=gesture)


def storied() -> FinetuiApp:
    """The app on a project with all methods."""
    return FinetuiApp(story.store(), story.runner(), Settings(), clock=lambda: project.NOW)


@pytest.mark.parametrize("size", SIZES)
def test_home_with_all_methods(snap_compare: Any, size: tuple[int, int]) -> None:
    async def gesture(pilot: Any) -> None:
        await until(pilot, lambda: "lora + grpo" in text_of(pilot.app))
        if size[0] > 100:
            await until(pilot, lambda: "rm-rloo" in text_of(pilot.app))
        await pilot.pause(0.2)

    assert snap_compare(storied(), terminal_size=size, run_before=gesture)


@pytest.mark.parametrize("size", SIZES)
def test_alignment_with_events_and_samples(snap_compare: Any, size: tuple[int, int]) -> None:
    async def gesture(pilot: Any) -> None:
        await until(pilot, lambda: "lora + grpo" in text_of(pilot.app))
        pilot.app.screen.query_one("#table").select(f"{project.MAIN}/{story.run().name}")
        await pilot.press("enter")
        await until(pilot, lambda: "5 events (3)" in text_of(pilot.app))
        await pilot.press("6", "j")
        await until(pilot, lambda: "wc -l notes" in text_of(pilot.app))
        await pilot.pause(0.2)

    assert snap_compare(storied(), terminal_size=size, run_before=gesture)


def test_help(snap_compare: Any) -> None:
    assert snap_compare(app(), terminal_size=(80, 24), run_before=after("question_mark", seen="This screen"))


def test_question_before_a_run_is_stopped(snap_compare: Any) -> None:
    gesture = after("j", "j", "j", "x", seen="Stop this run?")
    assert snap_compare(app(), terminal_size=(80, 24), run_before=gesture)


def test_sixteen_colours(snap_compare: Any) -> None:
    gesture = after("j", "space", "space", "space", "c", seen="train/loss  1 of 6")
    assert snap_compare(app("ansi-dark"), terminal_size=(80, 24), run_before=gesture)


def test_no_colour(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    gesture = after("j", "space", "space", "space", "c", seen="train/loss  1 of 6")
    assert snap_compare(app(), terminal_size=(80, 24), run_before=gesture)
