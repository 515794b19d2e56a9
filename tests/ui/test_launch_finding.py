"""The launch form: finding a key among hundreds, and what has no effect."""

import re

from tests.ui.driving import opened, text_of, until
from tests.ui.fakes import FakeRunner
from tests.ui.launching import form, show, value
from tui.screens.dialogs import Choose
from tui.screens.launch.screen import LaunchScreen


async def test_keys_are_found_by_words_of_their_help() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot)
        await pilot.press("slash", *"rank")
        await until(pilot, lambda: form(app).rows.num_rows < 20)
        assert "train.lora.r" in [form(app).rows.key(row) for row in range(form(app).rows.num_rows)]
        await pilot.press("enter")
        assert form(app).has_focus


async def test_a_second_search_replaces_the_first_and_the_title_tells_what_is_searched() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot)
        num = form(app).rows.num_rows
        await pilot.press("slash", *"rank", "enter", "slash", *"align.lr_s", "enter")
        await until(pilot, lambda: re.search(r"find: align.lr_s \(1 of 2\d\d keys\)", text_of(app)))
        await pilot.press("escape")
        await until(pilot, lambda: form(app).rows.num_rows == num)
        assert "find:" not in text_of(app)


async def test_a_section_is_one_key_away_and_shows_what_has_an_effect() -> None:
    async with opened(size=(80, 24)) as (app, pilot):
        await show(app, pilot)
        assert "without effect (a)" in text_of(app)
        await pilot.press("6")
        assert form(app).cursor_key == "align.objective"
        keys = [form(app).rows.key(row) for row in range(form(app).rows.num_rows)]
        own = [key for key in keys if key.startswith("align.") and not key.startswith("align.rewards.")]
        assert own == ["align.objective"]
        await pilot.press("right")
        await until(pilot, lambda: value(app, "align.dpo.loss") == "[sigmoid]")
        keys = [form(app).rows.key(row) for row in range(form(app).rows.num_rows)]
        assert "align.rollout.temperature" not in keys
        assert form(app).cursor_key == "align.objective"


async def test_keys_without_effect_can_be_seen_and_found_with_the_reason() -> None:
    async with opened(size=(120, 40)) as (app, pilot):
        await show(app, pilot)
        num = form(app).rows.num_rows
        await pilot.press("a")
        await until(pilot, lambda: form(app).rows.num_rows > num + 150)
        await pilot.press("a", "slash", *"rollout.temp", "enter")
        await until(pilot, lambda: value(app, "align.rollout.temperature") == "1.0")
        assert "no effect while align.objective is none" in text_of(app)
        await pilot.press("enter", *"5", "enter")
        await until(pilot, lambda: "1 change" in text_of(app))
        await pilot.press("escape")
        assert value(app, "align.rollout.temperature") == "1.05"


async def test_a_digit_leaves_the_search_and_a_list_of_sections_helps_too() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot)
        await pilot.press("slash", *"seed", "enter", "4")
        await until(pilot, lambda: form(app).cursor_key == "train.objective")
        assert "find:" not in text_of(app)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("k", "k", "enter")  # from the section of the cursor
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and form(app).cursor_key == "prepare.source")
        await pilot.press("9")
        assert form(app).cursor_key == "prepare.source"


async def test_lists_of_sections_are_typed_as_yaml() -> None:
    async with opened(size=(120, 40)) as (app, pilot):
        await show(app, pilot)
        await pilot.press("slash", *"merge.adap", "enter", "enter", "backspace", "backspace")
        await pilot.press(*"[{path: a, weight: x}]")
        await until(pilot, lambda: "✗ " in text_of(app))
        await pilot.press("backspace", "backspace", "backspace", *"0.5}]", "enter")
        await until(pilot, lambda: value(app, "train.merge.adapters") == "[{path: a, weight: 0.5}]")


async def test_params_of_another_make_have_no_keys_without_effect() -> None:
    runner = FakeRunner(values={"train": {"lora": {"r": 4}, "rate": 0.1}, "model": {"depth": 3}, "data": {"size": 9}})
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        assert form(app).rows.num_rows == 4
        assert "without effect" not in text_of(app)
        assert form(app).cursor_key == "train.lora.r"
        await pilot.press("3")
        assert form(app).cursor_key == "data.size"
