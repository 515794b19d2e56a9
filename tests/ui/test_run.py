"""The Run screen: live, ended, unreadable."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.ui import project, story
from tests.ui.driving import opened, text_of, until
from tests.ui.fakes import FakeRunner, FakeStore
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.runs import StageProgress
from tui.core.series import Sample
from tui.screens.dialogs import Confirm, TextDialog
from tui.screens.experiments.screen import ExperimentsScreen
from tui.screens.run.panel import metric_rows
from tui.screens.run.samples import changed, stories
from tui.screens.run.screen import RunScreen
from tui.widgets.chart import LineChart
from tui.widgets.logtail import LogTail, clean_line
from tui.widgets.stages import StageList, stage_line


def row(name: str) -> Experiment:
    """An experiment of the project by its label."""
    return next(one for one in project.experiments() if one.label == name)


async def show(app: Any, pilot: Any, name: str) -> None:
    """Open the screen and wait until it is filled."""
    await app.push_screen(RunScreen(app.bench, row(name)))
    await until(pilot, lambda: charts(app))


def charts(app: Any) -> dict[str, list[str]]:
    """Titles of the charts, with the labels of their curves."""
    return {chart.title: [one.label for one in chart.series] for chart in app.screen.query(LineChart) if chart.series}


async def test_a_running_experiment_shows_stages_curves_and_log() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot, "warm-fox")
        await until(pilot, lambda: "'step': 175" in text_of(app))
        screen = text_of(app)
        assert "62%  186/300  57 s left" in screen
        assert "up to date" in screen
        assert charts(app)["loss"] == ["train", "validation"]
        assert screen.count("waiting") == 2


async def test_new_points_and_lines_arrive() -> None:
    store, runner = project.store(), project.runner()
    async with opened(store, runner, polls=True) as (app, pilot):
        await show(app, pilot, "warm-fox")
        before = len(app.screen.query_one(LineChart).series[0].steps)
        store.recorded["warm-fox"] = project.curves(5.0, 50)
        runner.logs["r1"] += "a new line\n"
        await until(pilot, lambda: len(app.screen.query_one(LineChart).series[0].steps) == 50 > before)
        await until(pilot, lambda: "a new line" in text_of(app))
        assert text_of(app).count("'step': 175") == 1


async def test_the_log_stays_where_it_was_scrolled_to() -> None:
    runner = project.runner()
    async with opened(runner=runner, polls=True) as (app, pilot):
        await show(app, pilot, "warm-fox")
        await until(pilot, lambda: "'step': 175" in text_of(app))
        await pilot.press("g")
        await until(pilot, lambda: "'step': 0}" in text_of(app))
        runner.logs["r1"] += "much later\n"
        log = app.screen.query_one(LogTail)
        await until(pilot, lambda: "much later" in log.lines)
        assert "'step': 0}" in text_of(app)
        await pilot.press("G")
        await until(pilot, lambda: "much later" in text_of(app))


async def test_the_end_of_a_run_is_shown_and_polling_stops() -> None:
    store, runner = project.store(), project.runner()
    async with opened(store, runner, polls=True) as (app, pilot):
        await show(app, pilot, "warm-fox")
        run = runner.listing[0]
        failed = tuple(
            replace(stage, status="failed") if stage.status == "running" else stage for stage in run.progress
        )
        runner.listing = [
            replace(run, status="failed", error="train failed: out of memory", ended_at=project.NOW, progress=failed)
        ]
        await until(pilot, lambda: "out of memory" in text_of(app))
        assert "✗ failed" in text_of(app)
        assert "Stop run" not in text_of(app)
        asked = store.script.count("series")
        await pilot.pause(0.2)
        assert store.script.count("series") == asked


async def test_a_finished_experiment_has_metrics_params_and_answers() -> None:
    async with opened(runner=FakeRunner(), size=(120, 40)) as (app, pilot):
        await show(app, pilot, "brisk-owl")
        assert "test/exact_match" in text_of(app)
        await pilot.press("v")
        await until(pilot, lambda: "ls -t | head -3" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        assert "reference\nls -t | head -1" in app.screen.query_one("Static").content.plain


async def test_params_changed_at_launch_come_first() -> None:
    async with opened() as (app, pilot):
        await show(app, pilot, "warm-fox")
        await pilot.press("v")
        await until(pilot, lambda: "changed at launch" in text_of(app))
        table = app.screen.query_one("#params")
        assert [table.rows.key(i) for i in range(2)] == ["train.peft", "train.learning_rate"]


async def test_a_stale_answer_is_dropped() -> None:
    store = project.store()
    late = store.script.hold("series", project.curves(1.0, 3))
    async with opened(store) as (app, pilot):
        await app.push_screen(RunScreen(app.bench, row("warm-fox")))
        await until(pilot, late.entered.is_set)
        await pilot.press("r")
        await until(pilot, lambda: charts(app))
        late.released.set()
        await pilot.pause(0.1)
        assert len(app.screen.query_one(LineChart).series[0].steps) == 36
        await until(pilot, lambda: text_of(app).count("'step': 175") == 1)


async def test_unreadable_curves_leave_the_rest_on_the_screen() -> None:
    store = project.store()
    async with opened(store) as (app, pilot):
        await until(pilot, lambda: store.script.count("experiments"))
        store.script.give("series", UserError("series.csv is damaged", "line 7"))
        await app.push_screen(RunScreen(app.bench, row("warm-fox")))
        await until(pilot, lambda: "series.csv is damaged: line 7" in text_of(app))
        assert "186/300" in text_of(app)
        await pilot.press("r")
        await until(pilot, lambda: charts(app))
        assert "damaged" not in text_of(app)


async def test_a_failing_runner_is_told_and_recovers() -> None:
    runner = project.runner()
    async with opened(runner=runner) as (app, pilot):
        await until(pilot, lambda: runner.script.count("runs"))
        runner.script.give("runs", UserError("the project is locked"))
        await app.push_screen(RunScreen(app.bench, row("warm-fox")))
        await until(pilot, lambda: "the project is locked" in text_of(app))
        await pilot.press("r")
        await until(pilot, lambda: charts(app))


async def test_a_crash_is_reported_and_the_screen_goes_on() -> None:
    store = project.store()
    async with opened(store) as (app, pilot):
        await until(pilot, lambda: store.script.count("experiments"))
        store.script.give("series", KeyError("bug"))
        await app.push_screen(RunScreen(app.bench, row("warm-fox")))
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and charts(app))


async def test_an_experiment_without_anything_says_so() -> None:
    async with opened(FakeStore(), FakeRunner()) as (app, pilot):
        await app.push_screen(RunScreen(app.bench, row("brisk-owl")))
        await until(pilot, lambda: "no points yet" in text_of(app))


async def test_stages_and_pages_of_charts_can_be_chosen() -> None:
    async with opened(size=(80, 24)) as (app, pilot):
        await show(app, pilot, "warm-fox")
        assert "train 1-2 of 4" in text_of(app)
        await pilot.press("m")
        await until(pilot, lambda: "train 3-4 of 4" in text_of(app))
        assert "train/grad_norm" in charts(app)
        await pilot.press("n")
        await until(pilot, lambda: charts(app).get("train/loss") == [""])
        assert len(app.screen.query_one(LineChart).series[0].steps) == 80


async def test_stop_asks_first_and_escape_goes_back() -> None:
    runner = project.runner()
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot, "warm-fox")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("escape")
        assert runner.stopped == []
        await pilot.press("x", "y")
        await until(pilot, lambda: runner.stopped == ["r1"])
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ExperimentsScreen))


async def test_a_run_that_cannot_be_stopped_says_why() -> None:
    runner = project.runner()
    runner.script.give("stop", UserError("the run has ended already"))
    async with opened(runner=runner) as (app, pilot):
        await show(app, pilot, "warm-fox")
        await pilot.press("x", "y")
        await until(pilot, lambda: "the run has ended already" in text_of(app))


def test_output_that_rewrites_a_line_or_moves_the_cursor_is_harmless() -> None:
    assert clean_line("step 1\rstep 2\r") == "step 2"
    assert clean_line("\x1b[32mgreen\x1b[0m \x1b]0;title\x07done") == "green done"
    assert clean_line("torn \x1b[3") == "torn ␛[3"


async def test_a_failed_run_opens_at_the_stage_that_failed_with_its_whole_reason() -> None:
    store, runner = project.store(), project.runner()
    run = runner.listing[0]
    stages = [replace(stage, status="failed") if stage.stage == "train" else stage for stage in run.progress]
    reason = "train failed: " + "the device ran out of memory, " * 5 + "set train.batch_size to 4"
    runner.listing = [replace(run, status="failed", error=reason, ended_at=project.NOW, progress=tuple(stages))]
    store.recorded["warm-fox"] = project.curves()[:1]
    async with opened(store, runner, size=(80, 24)) as (app, pilot):
        await app.push_screen(RunScreen(app.bench, row("warm-fox")))
        await until(pilot, lambda: "▸ ✗ train" in text_of(app))
        assert "set train.batch_size to 4" in text_of(app)
        assert "no points" in text_of(app)
        await pilot.press("n")
        await until(pilot, lambda: "▸ = base" in text_of(app))
        await pilot.press("p")
        await until(pilot, lambda: "▸ ✗ train" in text_of(app))


async def test_digits_choose_the_panel() -> None:
    async with opened(runner=FakeRunner(), size=(120, 40)) as (app, pilot):
        await show(app, pilot, "brisk-owl")
        assert "1 log  2 params  3 metrics  4 answers  5 events  6 samples" in text_of(app)
        panels = {"2": "params", "4": "answers", "1": "log", "6": "prompts", "5": "events", "3": "metrics"}
        for key, panel in panels.items():
            await pilot.press(key)
            assert app.focused.id == panel
        await pilot.press("4")
        await until(pilot, lambda: "ls -t | head -3" in text_of(app))


async def test_params_are_written_in_full_as_everywhere_else() -> None:
    odd = replace(row("brisk-owl"), params={"params.yaml": {"seed": None, "rate": 0.000123456789, "on": True}})
    store = FakeStore([odd])
    async with opened(store, FakeRunner()) as (app, pilot):
        await app.push_screen(RunScreen(app.bench, odd))
        await until(pilot, lambda: app.screen.query_one("#params").rows.num_rows)
        rows = app.screen.query_one("#params").rows
        values = {rows.key(i): rows.cell(i, "value")[0] for i in range(rows.num_rows)}
        assert values == {"seed": "null", "rate": "0.000123456789", "on": "true"}


def test_metrics_are_written_as_everywhere_else() -> None:
    rows = metric_rows(replace(row("brisk-owl"), metrics={"m.json": {"peak_memory_bytes": 752041984}}))
    assert rows.cell(0, "value")[0] == "752 MB"


def test_a_stage_that_still_runs_is_never_quite_done() -> None:
    assert "99%  300/300" in stage_line(StageProgress("train", "running", 300, 300, 9.0), 10, chosen=False).plain


def test_a_stage_without_a_known_length_shows_how_long_it_has_run() -> None:
    seconds = timedelta(minutes=2).total_seconds()
    line = stage_line(StageProgress("base", "running", elapsed_s=seconds), 10, chosen=False).plain
    assert line.endswith("╌╌╌╌╌╌╌╌╌╌ 2 min")


async def aligned(app: Any, pilot: Any) -> None:
    """Open the run that aligns a model."""
    experiment = next(one for one in story.rows() if one.name == story.run().name)
    await until(pilot, lambda: app.screen.query_one("#table").rows.num_rows)
    await app.push_screen(RunScreen(app.bench, experiment))
    await until(pilot, lambda: "align/reward" in charts(app))


async def test_eight_stages_leave_room_on_a_small_screen() -> None:
    async with opened(story.store(), story.runner(), size=(80, 24)) as (app, pilot):
        await aligned(app, pilot)
        assert [line.split() for line in text_of(app).splitlines()[1:5:3]] == [
            ["=", "base", "prepare", "teacher", "up", "to", "date"],
            ["·", "evaluate", "deploy", "waiting"],
        ]
        assert text_of(app).splitlines()[2].split() == ["✓", "train", "7", "s", "reward", "done"]
        assert "▸ ◐ align" in text_of(app).splitlines()[3]
        assert list(charts(app)) == ["align/reward", "align/kl"]
        await pilot.click(StageList, offset=(14, 0))
        await until(pilot, lambda: "▸ = prepare" in text_of(app))
        assert "= base  " in text_of(app)
        await pilot.click(StageList, offset=(18, 3))
        await until(pilot, lambda: "▸ ✓ reward" in text_of(app))


def test_an_empty_metrics_file_has_no_values() -> None:
    empty = replace(row("brisk-owl"), metrics={"a.json": {}, "b.json": {"loss": 1}, "c.json": {"by_kind": {}}})
    rows = metric_rows(empty)
    assert [rows.key(i) for i in range(rows.num_rows)] == ["loss", "by_kind"]


async def test_events_are_counted_listed_and_marked_as_they_come() -> None:
    store = story.store()
    name = story.run().name
    store.seen[name] = story.events()[:1]
    async with opened(store, story.runner(), polls=True) as (app, pilot):
        await aligned(app, pilot)
        await until(pilot, lambda: "5 events (1)" in text_of(app))
        assert app.screen.query_one(LineChart).marks == ()
        store.seen[name] = story.events()
        await until(pilot, lambda: "5 events (3)" in text_of(app))
        assert app.screen.query_one(LineChart).marks == (30.0, 60.0)
        assert "┊" in text_of(app)
        await pilot.press("5")
        await until(pilot, lambda: "reward_collapse" in text_of(app))
        assert "0.31 nats/token ␛[2Jfrom the start" in text_of(app)
        events = app.screen.query_one("#events")
        assert [events.rows.cell(i, "step") for i in range(3)] == ["60", "30", "40"]


async def test_samples_show_how_an_answer_changed() -> None:
    store = story.store()
    async with opened(store, story.runner(), size=(120, 40), polls=True) as (app, pilot):
        await aligned(app, pilot)
        await pilot.press("6")
        await until(pilot, lambda: "6 samples (2)" in text_of(app) and "ls -t | head -3" in text_of(app))
        steps = app.screen.query_one("#steps")
        assert [steps.rows.key(i) for i in range(steps.rows.num_rows)] == ["reference", "90", "60", "30", "0"]
        assert steps.rows.cell(2, "answer") == ("″ ls -t", "muted")
        await pilot.press("j")
        await until(pilot, lambda: "wc -l [b]x[/b]␇" in text_of(app))
        name = story.run().name
        new = replace(story.samples()[-1], step=120, prediction="wc -l notes.txt")
        store.sampled[name] = [*story.samples(), new]
        await until(pilot, lambda: steps.rows.num_rows == 6)
        assert steps.rows.cell(1, "right") == ("✓", "good")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        told = app.screen.query_one("Static").content.plain
        assert "step 30    ✗ wc -l notes" in told
        assert "step 120   ✓ wc -l notes.txt" in told


def test_what_was_added_and_left_out_can_be_told_apart_without_colours() -> None:
    assert changed("ls -t dir", "ls -lt dir").plain == "ls -[-t-]lt dir"
    assert changed("", "ls").plain == "ls"


def test_samples_of_another_stage_are_shown_where_the_chosen_one_has_none() -> None:
    found = [Sample("train", 5, "p", "r", "new"), Sample("train", 0, "p", "r", "old"), Sample("align", 0, "q", "", "x")]
    assert [story.prompt for story in stories(found, "base")] == ["q"]
    assert stories(found, "train")[0].answers == ((0, "old"), (5, "new"))
    assert not stories(found, "align")[0].is_right("x")
