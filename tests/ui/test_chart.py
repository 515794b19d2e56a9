"""The line chart: what is on screen for given series, and what keys and the pointer do."""

import math
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.widgets.chart import ChartSeries, LineChart

Draw = Callable[[Pilot[None]], Awaitable[None]]


class ChartApp(App[None]):
    """A chart alone on the screen."""

    CSS = "Screen { overflow: hidden; }"

    def __init__(self, *series: ChartSeries, title: str = "train/loss", log: bool = False) -> None:
        super().__init__()
        self.chart = LineChart(title, log=log)
        self.hovered: list[float | None] = []
        self.painted: list[int] = []
        self._series = series

    def compose(self) -> ComposeResult:
        yield self.chart

    def on_mount(self) -> None:
        self.animation_level = "none"
        self.chart.set_series(self._series)

    def on_line_chart_hovered(self, message: LineChart.Hovered) -> None:
        self.hovered.append(message.step)

    def text(self) -> list[str]:
        return [self.chart.render_line(y).text for y in range(self.chart.size.height)]

    def count_paints(self) -> None:
        """Note the number of every line that is painted from now on."""
        paint = self.chart.render_line

        def counted(y: int) -> object:
            self.painted.append(y)
            return paint(y)

        self.chart.render_line = counted  # type: ignore[method-assign, assignment]  # a spy


def curves(number: int, num_points: int = 200) -> list[ChartSeries]:
    steps = np.arange(num_points)
    return [
        ChartSeries(f"run-{i}", steps, 2 * np.exp(-steps / (30.0 + 25 * i)) + 0.1 * i + 0.05 * np.sin(steps / 3 + i))
        for i in range(number)
    ]


async def test_axes_legend_and_curve() -> None:
    app = ChartApp(ChartSeries("brisk-owl", range(101), range(101)))
    async with app.run_test(size=(60, 16)):
        text = app.text()
        assert text[0].split() == ["train/loss", "●", "brisk-owl", "100"]
        assert text[1].startswith("100┤")
        assert text[-2].startswith("  0┤")
        assert text[-1].split() == ["0", "20", "40", "60", "80", "100"]
        assert "\u2801" <= text[1][-1] <= "\u28ff"
        assert text[2][-1] == " "
        assert {len(line) for line in text} == {60}


async def test_series_differ_without_colour() -> None:
    app = ChartApp(*curves(3))
    async with app.run_test(size=(80, 20)):
        text = "\n".join(app.text())
        for mark in "●■▲":
            assert text.count(mark) >= 3
        last = [float(text.split(f"run-{i} ")[1].split()[0]) for i in range(3)]
        assert last == [pytest.approx(float(np.asarray(s.values)[-1]), rel=1e-3) for s in curves(3)]


async def test_the_legend_counts_what_does_not_fit() -> None:
    app = ChartApp(*curves(12))
    async with app.run_test(size=(60, 20)):
        legend = app.text()[1]
        shown = legend.count("run-")
        assert 0 < shown < 12
        assert legend.rstrip().endswith(f"+{12 - shown}")


async def test_a_small_chart_keeps_the_values_of_the_legend() -> None:
    app = ChartApp(*curves(3), title="train/loss")
    async with app.run_test(size=(26, 7)):
        assert app.text()[0].rstrip() == "train/loss  ● -0.01498 +2"
    app = ChartApp(*curves(3), title="eval/exact_match")
    async with app.run_test(size=(26, 7)):
        assert app.text()[0].rstrip() == "eval/exact_match  3 series"


async def test_an_empty_chart_says_why() -> None:
    app = ChartApp()
    async with app.run_test(size=(40, 9)) as pilot:
        assert "no points yet" in app.text()[4]
        app.chart.placeholder = "eval/loss is not logged"
        await pilot.pause()
        assert "eval/loss is not logged" in app.text()[4]
        app.chart.set_series([ChartSeries("a", [0, 1], [math.nan, math.nan])])
        await pilot.pause()
        assert "eval/loss is not logged" in app.text()[4]


async def test_keys_zoom_pan_and_reset() -> None:
    app = ChartApp(*curves(2, num_points=1001))
    async with app.run_test(size=(80, 20)) as pilot:
        chart = app.chart
        chart.focus()
        assert (chart.view.x0, chart.view.x1) == (0, 1000)
        await pilot.press("plus")
        assert (chart.view.x0, chart.view.x1) == (500, 1000)
        await pilot.press("left_square_bracket")
        assert (chart.view.x0, chart.view.x1) == (375, 875)
        await pilot.press(*["left_square_bracket"] * 9)
        assert (chart.view.x0, chart.view.x1) == (0, 500)
        await pilot.press("minus", "minus")
        assert (chart.view.x0, chart.view.x1) == (0, 1000)
        await pilot.press("plus", "plus", "0")
        assert (chart.view.x0, chart.view.x1) == (0, 1000)


async def test_a_zoomed_view_at_the_end_follows_new_points() -> None:
    app = ChartApp(ChartSeries("a", range(1001), range(1001)))
    async with app.run_test(size=(80, 20)) as pilot:
        app.chart.focus()
        await pilot.press("plus")
        app.chart.append(0, [2000], [5.0])
        await pilot.pause()
        assert (app.chart.view.x0, app.chart.view.x1) == (1000, 2000)


async def test_log_scale_shows_decades_and_leaves_out_what_is_not_positive() -> None:
    app = ChartApp(ChartSeries("a", range(6), [1e-3, 1e-2, 0.0, -1.0, 1.0, 10.0]))
    async with app.run_test(size=(60, 20)) as pilot:
        app.chart.focus()
        await pilot.press("l")
        await pilot.pause()
        text = app.text()
        assert "(log)" in text[0]
        labels = [line.split("┤")[0].strip() for line in text if "┤" in line]
        assert labels == ["10", "1", "0.1", "0.01", "0.001"]
        await pilot.press("l")
        await pilot.pause()
        assert "(log)" not in app.text()[0]


async def test_the_pointer_reads_out_the_nearest_samples() -> None:
    app = ChartApp(ChartSeries("a", range(101), range(101)), ChartSeries("b", range(101), [7.0] * 101))
    async with app.run_test(size=(64, 16)) as pilot:
        await pilot.hover(LineChart, offset=(4 + 30, 6))
        await pilot.pause()
        assert app.hovered[-1] == pytest.approx(50, abs=2)
        text = app.text()
        assert f"step {round(app.hovered[-1] or 0)} " in text[0] + " "
        assert float(text[1].split("a ")[1].split()[0]) == round(app.hovered[-1] or 0)
        assert sum("┆" in line for line in text) > 5
        app.chart.crosshair = None
        await pilot.pause()
        assert not any("┆" in line for line in app.text())


async def test_the_crosshair_moves_by_keys() -> None:
    app = ChartApp(ChartSeries("a", range(101), range(101)))
    async with app.run_test(size=(64, 16)) as pilot:
        app.chart.focus()
        await pilot.press("comma", "comma", "full_stop")
        assert app.hovered[-1] == pytest.approx(100, abs=2)
        assert len(set(app.hovered)) == 2


async def test_nothing_is_painted_when_nothing_changed() -> None:
    app = ChartApp(*curves(3))
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        app.count_paints()
        app.chart.set_series(curves(3))
        app.chart.title = "train/loss"
        app.chart.append(0, [], [])
        app.chart.log_scale = False
        await pilot.pause()
        assert app.painted == []


async def test_only_lines_that_differ_are_painted() -> None:
    app = ChartApp(ChartSeries("a", [0, 5, 10], [0.0, 9.0, 10.0]))
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        app.count_paints()
        app.chart.append(0, [9.9], [9.9])
        await pilot.pause()
        assert len(set(app.painted)) < 6


async def test_points_that_arrive_while_hidden_are_there_afterwards() -> None:
    app = ChartApp(ChartSeries("a", [0, 1], [0.0, 1.0]))
    async with app.run_test(size=(60, 12)) as pilot:
        app.chart.display = False
        await pilot.pause()
        app.chart.append(0, [2], [500.0])
        await pilot.pause()
        app.chart.display = True
        await pilot.pause()
        shown = "\n".join("".join(s.text for s in line) for line in app.screen._compositor.render_strips())
        assert "500" in shown


async def test_labels_are_data_and_not_terminal_commands() -> None:
    app = ChartApp(ChartSeries("\x1b[2J[bold]x", [0, 1], [0, 1]), title="a\nb\x07")
    async with app.run_test(size=(60, 12)):
        assert app.text()[0].startswith("a⏎b␇")
        assert "␛[2J[bold]x" in app.text()[0]


async def test_every_cell_has_the_background_of_the_theme() -> None:
    app = ChartApp(*curves(2))
    async with app.run_test(size=(80, 20)) as pilot:
        app.chart.crosshair = 50.0
        for theme in ("textual-light", "textual-dark"):
            app.theme = theme
            await pilot.pause()
            background = app.chart.rich_style.bgcolor
            strips = [app.chart.render_line(y) for y in range(20)]
            assert {segment.style.bgcolor for strip in strips for segment in strip if segment.style} == {background}
            assert all(segment.style for strip in strips for segment in strip)


HARD: dict[str, list[ChartSeries]] = {
    "one point": [ChartSeries("a", [3], [0.5])],
    "constant": [ChartSeries("a", range(50), [2.5] * 50)],
    "zero": [ChartSeries("a", range(50), [0.0] * 50)],
    "all missing": [ChartSeries("a", range(5), [math.nan] * 5)],
    "infinite": [ChartSeries("a", range(4), [math.inf, 1.0, -math.inf, 2.0])],
    "huge": [ChartSeries("a", range(3), [-1.7e308, 0.0, 1.7e308])],
    "tiny": [ChartSeries("a", range(3), [1.0, 1.0 + 2e-16, 1.0])],
    "denormal": [ChartSeries("a", range(3), [0.0, 5e-324, 1e-320])],
    "huge steps": [ChartSeries("a", [0, 1e300], [0.0, 1.0])],
    "equal steps": [ChartSeries("a", [5, 5, 5], [1.0, 2.0, 3.0])],
    "near steps": [ChartSeries("a", [1e15, 1e15 + 1], [1.0, 2.0])],
    "empty and full": [ChartSeries("a", [], []), *curves(1)],
    "fifty": curves(50),
    "faint": [ChartSeries("raw", range(50), np.sin(range(50)), slot=0, faint=True), *curves(1, 50)],
}
SIZES = [(1, 1), (2, 1), (1, 5), (3, 3), (30, 9), (400, 100)]


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("case", HARD)
async def test_no_data_and_no_size_breaks_it(case: str) -> None:
    app = ChartApp(*HARD[case])
    async with app.run_test(size=SIZES[-1]) as pilot:
        for width, height in SIZES:
            app.chart.styles.width, app.chart.styles.height, app.chart.styles.min_height = width, height, 1
            await pilot.pause()
            for log in (False, True):
                app.chart.log_scale = log
                app.chart.crosshair = app.chart.view.x0
                app.chart.action_zoom(0.5)
                app.chart.action_pan(-1)
                assert {app.chart.render_line(y).cell_length for y in range(height)} == {width}
                app.chart.action_reset_view()


def test_picture_of_three_runs(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(ChartApp(*curves(3)), terminal_size=(80, 24))


def test_picture_of_a_zoomed_log_scale_with_crosshair(snap_compare: Callable[..., bool]) -> None:
    async def look(pilot: Pilot[None]) -> None:
        pilot.app.query_one(LineChart).focus()
        await pilot.press("l", "plus", "comma", "comma", "comma")

    assert snap_compare(ChartApp(*curves(2)), terminal_size=(120, 30), run_before=look)


def test_picture_of_a_small_chart_with_a_gap(snap_compare: Callable[..., bool]) -> None:
    ys = np.linspace(1, 0, 60)
    ys[20:30] = math.nan
    assert snap_compare(ChartApp(ChartSeries("warm-fox", range(60), ys)), terminal_size=(40, 8))
