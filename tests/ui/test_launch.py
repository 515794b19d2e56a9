"""The launch form: fields from the schema, live checks, the plan, the start."""

from dataclasses import replace

from tests.ui import project
from tests.ui.driving import opened, text_of, until
from tests.ui.fakes import FakeRunner
from tests.ui.launching import form, planned, show, value
from tui.core.errors import UserError
from tui.core.runs import LaunchPlan, RunRequest, StagePlan
from tui.screens.dialogs import Choose, Confirm, TextDialog
from tui.screens.experiments.screen import ExperimentsScreen
from tui.screens.launch.screen import LaunchScreen


async def test_the_form_has_every_key_of_the_schema_with_values_of_the_workspace() -> None:
    async with opened(runner=FakeRunner(values=project.params(rank=24))) as (app, pilot):
        await show(app, pilot)
        assert form(app).rows.num_rows > 50
        assert value(app, "train.lora.r") == "24"
        assert value(app, "train.peft") == "◂ lora ▸"
        assert value(app, "train.packing") == "○ off"
        assert value(app, "train.max_steps") == "null"
        assert form(app).cursor_key == "train.objective"
        assert "learns answers" in text_of(app)


async def test_the_plan_shows_what_runs_and_why_and_what_to_know() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot)
        await until(pilot, lambda: "train.lora.r: 16 -> 8" in text_of(app))
        screen = text_of(app)
        assert "= base  prepare  up to date" in screen
        assert "3 of 5 stages run, about 53 s and 1 that never ran" in screen
        assert "! notes.txt is not tracked by Git" in screen


async def test_choices_and_switches_change_with_one_key_and_only_changes_are_launched() -> None:
    runner = project.runner()
    runner.script.give("launch", replace(project.run_of_fox(), id="r9", name="new-cat"))
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        form(app).select("train.peft")
        await pilot.press("right", "right")
        form(app).select("train.packing")
        await pilot.press("space", "space")
        await until(pilot, lambda: planned(runner)[-1].overrides == {"train.peft": "prompt_tuning"})
        assert "1 change" in text_of(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))
        launched = [arguments[0] for method, arguments in runner.script.calls if method == "launch"]
        assert launched == [RunRequest({"train.peft": "prompt_tuning"})]


async def test_a_choice_opens_as_a_list() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot)
        form(app).select("train.lr_schedule")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        assert value(app, "train.lr_schedule") == "◂ cosine ▸"


async def test_a_typed_value_is_checked_while_it_is_typed() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot)
        form(app).select("train.lora.r")
        await pilot.press("enter", "backspace", "backspace", "x")
        await until(pilot, lambda: "✗ must be a whole number" in text_of(app))
        await pilot.press("backspace", "0")
        await until(pilot, lambda: "✗ must be greater than or equal to 1" in text_of(app))
        await pilot.press("backspace", "8", "enter")
        await until(pilot, lambda: value(app, "train.lora.r") == "8")
        assert form(app).has_focus
        assert "was 16" in text_of(app)


async def test_escape_gives_the_old_value_back_then_leaves() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot)
        form(app).select("train.lora.r")
        await pilot.press("enter", "9", "escape")
        assert value(app, "train.lora.r") == "16"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))


async def test_problems_stand_beside_their_keys_and_hold_the_launch() -> None:
    runner = FakeRunner(values=project.params())
    async with opened(runner=runner, size=(200, 50)) as (app, pilot):
        await show(app, pilot)
        form(app).select("train.peft")
        await pilot.press("right", "right")
        form(app).select("train.packing")
        await pilot.press("space", "a")
        form(app).select("train.lora.r")
        await pilot.press("enter", "backspace", "backspace", "0", "enter")
        await until(pilot, lambda: "✗ 2 problems" in text_of(app))
        assert "is a soft prompt" in text_of(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "First put right" in text_of(app))
        assert runner.script.count("launch") == 0
        await pilot.press("backspace")
        await until(pilot, lambda: "✗ 1 problem" in text_of(app))


async def test_a_plan_with_problems_holds_the_launch() -> None:
    runner = project.runner()
    runner.launch_plan = replace(project.plan(), problems=("Git has no user name",))
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        await until(pilot, lambda: "✗ Git has no user name" in text_of(app))
        await pilot.press("ctrl+s")
        assert runner.script.count("launch") == 0


async def test_only_the_newest_plan_is_shown() -> None:
    runner = project.runner()
    late = runner.script.hold("plan", LaunchPlan((), problems=("stale",)))
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        await until(pilot, late.entered.is_set)
        form(app).select("train.peft")
        await pilot.press("right")
        await until(pilot, lambda: "3 of 5 stages run" in text_of(app))
        late.released.set()
        await pilot.pause(0.1)
        assert "stale" not in text_of(app)


async def test_a_plan_that_fails_is_told_and_asked_again() -> None:
    runner = project.runner()
    runner.script.give("plan", UserError("dvc.yaml does not parse", "line 3"))
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        await until(pilot, lambda: "dvc.yaml does not parse: line 3" in text_of(app))
        await pilot.press("r")
        await until(pilot, lambda: "3 of 5 stages run" in text_of(app))


async def test_params_that_cannot_be_read_are_told() -> None:
    runner = FakeRunner()
    runner.script.give("params", UserError("params.yaml does not parse", "line 9"))
    async with opened(runner=runner) as (app, pilot):
        await until(pilot, lambda: app.screen.query_one("#table").rows.num_rows)
        await pilot.press("n")
        await until(pilot, lambda: "params.yaml does not parse: line 9" in text_of(app))


async def test_a_project_without_params_says_so() -> None:
    async with opened(runner=FakeRunner()) as (app, pilot):
        await until(pilot, lambda: app.screen.query_one("#table").rows.num_rows)
        await pilot.press("n")
        await until(pilot, lambda: "no params in this project" in text_of(app))


async def test_a_launch_that_fails_keeps_the_form_and_a_crash_is_reported() -> None:
    runner = project.runner()
    runner.script.give("launch", UserError("no space left on the device"))
    runner.script.give("launch", ValueError("bug"))
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        await until(pilot, lambda: "3 of 5 stages run" in text_of(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "no space left on the device" in text_of(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await pilot.press("escape")
        runner.script.give("launch", project.run_of_fox())
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))


async def test_the_new_run_gets_the_cursor_when_it_appears() -> None:
    store, runner = project.store(), project.runner()
    runner.script.give("launch", replace(project.run_of_fox(), id="r9", name="new-cat", snapshot="c" * 40))
    async with opened(store, runner) as (app, pilot):
        await show(app, pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))
        cat = project.experiment("new-cat", None, 0.0, 0, rev="c" * 40, status="running", run_id="r9")
        store.listing.insert(4, cat)
        await pilot.press("r")
        await until(pilot, lambda: app.screen.query_one("#table").cursor_key == f"{project.MAIN}/new-cat")


async def test_name_and_force_are_part_of_the_request() -> None:
    runner = project.runner()
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        await pilot.press("e", *"my-run", "enter", "f")
        await until(pilot, lambda: planned(runner)[-1] == RunRequest({}, "my-run", force=True))
        await pilot.press("U")
        await until(pilot, lambda: planned(runner)[-1] == RunRequest({}))


async def test_a_project_of_another_make_gets_a_form_from_its_values() -> None:
    values = {"lr": 0.1, "layers": [8, 8], "augment": {"flip": True}, "opt": "adam", "seed": None}
    runner = FakeRunner(values=values)
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        assert form(app).rows.num_rows == 5
        form(app).select("layers")
        await pilot.press("enter", *["backspace"] * 6, *"[16]", "enter")
        form(app).select("augment.flip")
        await pilot.press("space")
        await until(pilot, lambda: planned(runner)[-1].overrides == {"layers": [16], "augment.flip": False})


async def test_read_only_never_launches() -> None:
    runner = project.runner()
    async with opened(runner=runner, read_only=True) as (app, pilot):
        await until(pilot, lambda: app.screen.query_one("#table").rows.num_rows)
        await pilot.press("n")
        assert isinstance(app.screen, ExperimentsScreen)
        await app.push_screen(LaunchScreen(app.bench))
        await until(pilot, lambda: "3 of 5 stages run" in text_of(app))
        await pilot.press("ctrl+s")
        assert runner.script.count("launch") == 0


def launched(runner: FakeRunner) -> list[RunRequest]:
    """What was launched."""
    return [arguments[0] for method, arguments in runner.script.calls if method == "launch"]


async def test_a_launch_takes_what_is_typed_unless_it_cannot_be() -> None:
    runner = project.runner()
    runner.script.give("launch", project.run_of_fox())
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        form(app).select("train.lora.r")
        await pilot.press("enter", "x", "ctrl+s")
        await until(pilot, lambda: "First put right what is typed" in text_of(app))
        assert "✗ must be a whole number" in text_of(app)
        assert runner.script.count("launch") == 0
        await pilot.press("backspace", "8", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))
        assert launched(runner) == [RunRequest({"train.lora.r": 168})]


async def test_tab_and_the_pointer_accept_what_is_typed_or_say_why_not() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot)
        form(app).select("train.lora.r")
        await pilot.press("enter", "x", "tab")
        await until(pilot, lambda: "✗ must be a whole number" in text_of(app))
        await pilot.click("#plan")
        await until(pilot, lambda: app.focused.id == "editor")
        await pilot.press("backspace", "8", "tab")
        await until(pilot, lambda: value(app, "train.lora.r") == "168")
        assert form(app).has_focus
        await pilot.press("enter", "backspace")
        await pilot.click("#plan")
        await until(pilot, lambda: value(app, "train.lora.r") == "16")
        assert app.focused.id != "editor"


async def test_a_draft_is_kept_until_it_is_launched_or_reset() -> None:
    runner = project.runner()
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        form(app).select("train.peft")
        await pilot.press("left", "e", *"mine", "enter", "escape")
        await until(pilot, lambda: "draft kept: mine, 1 change" in text_of(app))
        runner.values = project.params(rank=99)
        await show(app, pilot)
        assert value(app, "train.peft") == "◂ none ▸"
        await pilot.press("a")
        assert value(app, "train.lora.r") == "99"
        runner.script.give("launch", project.run_of_fox())
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))
        assert launched(runner) == [RunRequest({"train.peft": "none"}, "mine")]
        await show(app, pilot)
        assert "params as in the workspace" in text_of(app)
        await pilot.press("right", "escape")
        await until(pilot, lambda: "draft kept" in text_of(app))
        await pilot.press("down")
        await until(pilot, lambda: "draft kept" not in text_of(app))
        await show(app, pilot)
        await pilot.press("U", "escape")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))
        assert "draft kept" not in text_of(app)


async def test_a_draft_outlives_params_that_cannot_be_read() -> None:
    runner = project.runner()
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        form(app).select("train.peft")
        await pilot.press("left", "escape")
        await until(pilot, lambda: "draft kept" in text_of(app))
        runner.script.give("params", UserError("params.yaml does not parse", "line 9"))
        await pilot.press("n")
        await until(pilot, lambda: "does not parse" in text_of(app))
        await pilot.press("escape")
        await show(app, pilot)
        assert value(app, "train.peft") == "◂ none ▸"


async def test_a_launch_that_would_run_nothing_asks_first() -> None:
    runner = project.runner()
    runner.launch_plan = LaunchPlan((StagePlan("train", False, None, "", 41.0),))
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "the new experiment would equal what is there" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        assert launched(runner) == []
        runner.script.give("launch", project.run_of_fox())
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))
        assert launched(runner) == [RunRequest({})]


async def test_a_name_is_checked_when_it_is_typed() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot)
        await pilot.press("e", *"-a")
        await until(pilot, lambda: "✗ must not start with '-'" in text_of(app))
        assert "letters, digits, - _ and ." in text_of(app)
        await pilot.press("enter")
        assert app.focused.id == "editor"
        await pilot.press("home", "delete", "enter")
        await until(pilot, lambda: "New run  a  params" in text_of(app))


async def test_an_old_plan_does_not_hold_the_launch_of_a_new_draft() -> None:
    runner = project.runner()
    runner.script.give("plan", replace(project.plan(), problems=("nothing to train",)))
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot)
        await until(pilot, lambda: "✗ nothing to train" in text_of(app))
        runner.script.hold("plan", project.plan())
        runner.script.give("launch", project.run_of_fox())
        form(app).select("train.peft")
        await pilot.press("right", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))
        runner.script.release_all()
