"""The drawing of curves: no sample is lost, nothing is invented, and no number can break it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.widgets import raster
from tui.widgets.chart_series import ChartSeries, Trace
from tui.widgets.raster import Bools
from tui.widgets.ticks import linear_ticks, log_ticks, short_number, step_number, tick_labels

BAD = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1.7e308, -1.7e308]
values = st.floats(width=64) | st.sampled_from(BAD)


def picture(steps: object, ys: object, columns: int = 20, rows: int = 16) -> Bools:
    points = raster.curve(np.asarray(steps), np.asarray(ys))
    area = raster.spans(points, float(points.steps[0]), float(points.steps[-1]), columns)
    assert area is not None
    low, high = float(np.nanmin(area.low)), float(np.nanmax(area.high))
    return raster.mask(area, low, high if high > low else low + 1, rows, columns)


def filled_columns(painted: Bools) -> list[bool]:
    return [bool(column.any()) for column in painted.T]


def test_a_rising_line_is_drawn_from_corner_to_corner() -> None:
    painted = picture(range(100), range(100))
    assert painted[-1, 0]
    assert painted[0, -1]
    assert painted.any(axis=0).all()
    heights = painted.argmax(axis=0)
    assert (np.diff(heights) <= 0).all()


def test_one_spike_among_many_points_survives() -> None:
    ys = np.zeros(100_000)
    ys[54_321] = 7.0
    painted = picture(range(100_000), ys)
    assert painted[0].sum() == 1
    assert painted[:, 10].all()


def test_neighbouring_columns_touch() -> None:
    rng = np.random.default_rng(1)
    painted = picture(range(40), rng.normal(size=40), columns=40, rows=64)
    tops, bottoms = painted.argmax(axis=0), 63 - painted[::-1].argmax(axis=0)
    for a in range(39):
        assert tops[a + 1] <= bottoms[a] + 1
        assert bottoms[a + 1] >= tops[a] - 1


def test_a_gap_stays_empty() -> None:
    ys = np.full(100, 3.0)
    ys[40:60] = math.nan
    filled = filled_columns(picture(range(100), ys, columns=100))
    assert not any(filled[41:59])
    assert all(filled[:40])
    assert all(filled[60:])


def test_a_single_missing_value_breaks_a_sparse_line() -> None:
    filled = filled_columns(picture([0, 10, 20, 30], [1, math.nan, 1, 1], columns=60))
    assert filled[0]
    assert not any(filled[2:38])
    assert all(filled[41:])


def test_a_gap_between_sparse_points_is_bridged() -> None:
    assert picture([0, 100], [0, 1], columns=50).any(axis=0).all()


def test_zoom_continues_the_line_to_the_borders() -> None:
    points = raster.curve([0, 100], [0, 100])
    area = raster.spans(points, 25, 75, 10)
    assert area is not None
    assert area.low[0] == pytest.approx(25)
    assert area.high[-1] == pytest.approx(75)


def test_zoom_shows_only_what_is_in_view() -> None:
    points = raster.curve(range(1000), [*range(500), *[math.nan] * 500])
    assert raster.spans(points, 600, 700, 10) is None
    area = raster.spans(points, 100, 200, 10)
    assert area is not None
    assert (area.low.min(), area.high.max()) == (100, 200)


def test_log_axis_refuses_what_is_not_positive() -> None:
    points = raster.positive(raster.curve(range(6), [100.0, 10.0, 0.0, -5.0, 10.0, 1.0]))
    area = raster.spans(points, 0, 5, 6, log=True)
    assert area is not None
    assert area.high[0] == pytest.approx(2)
    assert np.isnan(area.low[2:4]).all()
    assert area.low[5] == pytest.approx(0)


def test_steps_are_put_in_order_and_lengths_must_agree() -> None:
    points = raster.curve([3, 1, 2], [30, 10, 20])
    assert points.values.tolist() == [10, 20, 30]
    with pytest.raises(ValueError, match="3 steps for 2 values"):
        raster.curve([1, 2, 3], [1, 2])


def test_dots_are_braille_bits() -> None:
    painted = np.zeros((4, 4), np.bool_)
    painted[0, 0] = painted[3, 1] = painted[1, 2] = True
    assert raster.dots(painted).tolist() == [[0x81, 0x02]]
    codes, owner = raster.overlay([raster.dots(painted)], 1, 2)
    assert "".join(map(chr, codes[0])) == "⢁⠂"
    assert owner.tolist() == [[0, 0]]


def test_the_last_pattern_owns_a_shared_cell_and_hides_no_dots() -> None:
    one, two = np.array([[1, 1, 0]], np.uint8), np.array([[0, 2, 0]], np.uint8)
    codes, owner = raster.overlay([one, two], 1, 3)
    assert owner.tolist() == [[0, 1, -1]]
    assert codes.tolist() == [[0x2801, 0x2803, 32]]


@settings(max_examples=150, deadline=None)
@given(st.lists(values, min_size=1, max_size=60), st.integers(1, 30), st.integers(1, 20))
def test_any_numbers_can_be_drawn(ys: list[float], columns: int, rows: int) -> None:
    points = raster.curve(range(len(ys)), ys)
    area = raster.spans(points, 0.0, max(1.0, len(ys) - 1.0), columns)
    finite = [y for y in ys if math.isfinite(y)]
    assert (area is None) == (not finite)
    if area is not None:
        assert np.nanmin(area.low) == min(finite)
        assert np.nanmax(area.high) == max(finite)
        low, high = min(finite), max(finite)
        top = high if high > low else float(np.nextafter(low, np.inf))
        with np.errstate(all="ignore"):
            painted = raster.mask(area, low, top, rows, columns)
        assert painted.shape == (rows, columns)


@settings(max_examples=100, deadline=None)
@given(st.lists(values, max_size=40), st.lists(values, max_size=40), st.lists(values, max_size=5))
def test_appending_is_the_same_as_starting_with_everything(a: list[float], b: list[float], c: list[float]) -> None:
    whole = Trace(ChartSeries("x", range(len(a + b + c)), a + b + c))
    grown = Trace(ChartSeries("x", range(len(a)), a))
    grown.append(range(len(a), len(a + b)), b)
    grown.append(range(len(a + b), len(a + b + c)), c)
    assert grown.looks_like(whole)
    assert grown.last == whole.last


def test_points_that_come_late_are_sorted_in() -> None:
    trace = Trace(ChartSeries("x", [0, 10], [0.0, 10.0]))
    assert trace.append([5, 15], [5.0, 15.0])
    assert trace.points.steps.tolist() == [0, 5, 10, 15]
    assert trace.last == 15.0


def test_appending_does_not_touch_the_callers_arrays() -> None:
    steps, ys = np.arange(4.0), np.ones(4)
    trace = Trace(ChartSeries("x", steps[:3], ys[:3]))
    trace.append([3.0], [9.0])
    assert ys.tolist() == [1, 1, 1, 1]
    assert trace.points.values.tolist() == [1, 1, 1, 9]


def test_a_decimation_is_kept_until_the_points_change() -> None:
    trace = Trace(ChartSeries("x", range(100), np.arange(100.0)))
    first = trace.decimated(0, 99, 10, log=False)
    assert trace.decimated(0, 99, 10, log=False) is first
    trace.append([100], [1.0])
    assert trace.decimated(0, 99, 10, log=False) is not first


def test_nearest_sample() -> None:
    trace = Trace(ChartSeries("x", [0, 10, 20], [1.0, 2.0, 3.0]))
    assert [trace.nearest(s) for s in (-5, 4, 6, 14)] == [(0, 1.0), (0, 1.0), (10, 2.0), (10, 2.0)]
    assert [trace.nearest(s) for s in (16, 99)] == [(20, 3.0), (20, 3.0)]


@given(st.floats(-1e300, 1e300), st.floats(1e-6, 1e6), st.integers(1, 20))
def test_ticks_are_round_and_inside(low: float, part: float, number: int) -> None:
    high = low + max(abs(low) * part, 1e-9)
    ticks = linear_ticks(low, high, number)
    assert len(ticks) <= 2 * number + 2
    assert ticks == sorted(ticks)
    slack = (high - low) * 1e-6
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert len(tick_labels(ticks)) == len(ticks)


@pytest.mark.parametrize(
    ("low", "high", "number", "labels"),
    [
        (0, 10, 5, ["0", "2", "4", "6", "8", "10"]),
        (0.31, 0.52, 4, ["0.35", "0.40", "0.45", "0.50"]),
        (0, 20000, 4, ["0", "5k", "10k", "15k", "20k"]),
        (0, 30e6, 3, ["0", "10M", "20M", "30M"]),
        (1e-6, 4e-6, 3, ["1e-6", "2e-6", "3e-6", "4e-6"]),
        (-1.0, 1.0, 2, ["-1", "0", "1"]),
    ],
)
def test_tick_labels(low: float, high: float, number: int, labels: list[str]) -> None:
    assert tick_labels(linear_ticks(low, high, number)) == labels


def test_ticks_of_whole_steps_are_whole() -> None:
    assert linear_ticks(1, 4, 6) == [1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert linear_ticks(1, 4, 6, whole=True) == [1, 2, 3, 4]
    assert linear_ticks(0, 100, 5, whole=True) == [0, 20, 40, 60, 80, 100]


def test_log_ticks_are_decades_or_round_values() -> None:
    assert log_ticks(-3.2, 2.1, 6) == [-3, -2, -1, 0, 1, 2]
    assert log_ticks(-300, 300, 4) == [-200, 0, 200]
    assert [10**tick for tick in log_ticks(0.1, 0.6, 3)] == pytest.approx([2, 3])


def test_numbers_as_people_write_them() -> None:
    assert [short_number(v) for v in (0.5, 3.0, 1234.5678, 2e-5, 1.5e9, math.nan)] == [
        "0.5",
        "3",
        "1235",
        "2e-5",
        "1.5e9",
        "NaN",
    ]
    assert [step_number(v) for v in (1234567.0, 0.5)] == ["1,234,567", "0.5"]


def test_sparkline() -> None:
    assert raster.sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇█"
    assert raster.sparkline([1, math.nan, 8], 8) == "▁ █"
    assert raster.sparkline([5, 5], 8) == "▅▅"
    assert raster.sparkline([], 8) == ""
    assert raster.sparkline([math.nan] * 3, 8) == "   "
    assert raster.sparkline(range(1000), 4) == "▁▃▆█"


@given(st.lists(values, max_size=50), st.integers(0, 12))
def test_sparkline_of_anything(ys: list[float], width: int) -> None:
    assert len(raster.sparkline(ys, width)) == min(len(ys), width)
