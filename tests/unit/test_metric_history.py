"""A metric along commits, by how much it may differ by chance, and where it last moved."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.errors import UsageError
from tui.core.examples import Interval, Score
from tui.core.experiments import Experiment
from tui.core.history.metric_history import Point, find_key, fold, trace, unknown_key
from tui.core.history.moves import Move, last_move, left, moves
from tui.core.history.noise import Noise, interval_noise, seed_noise
from tui.core.keys import MISSING, Key

KEY = Key("metric", "test/accuracy")


def _row(rev: int, value: Any = MISSING, seed: int = 0, **fields: Any) -> Experiment:
    metrics = {} if value is MISSING else {"m.json": {"test/accuracy": value}}
    params = {"params.yaml": {"lr": 0.1, "seed": seed}}
    return Experiment(f"{rev:040}", "commit", metrics=metrics, params=params, **fields)


def _points(values: Sequence[Any]) -> list[Point]:
    """Oldest first."""
    rows = [_row(number, value) for number, value in enumerate(values)]
    return list(trace(reversed(rows), KEY))[::-1]


def _noise(size: float) -> Noise:
    return Noise(size, "asked", "")


def _places(move: Move | None) -> tuple[str, int, int]:
    assert move is not None
    return move.kind, int(move.start.experiment.rev), int(move.end.experiment.rev)


def test_each_value_is_compared_with_the_nearest_earlier_one() -> None:
    points = _points([0.5, MISSING, None, 0.5, 0.75, MISSING, 0.25])
    assert [point.delta for point in points] == [None, None, None, 0.0, 0.25, None, -0.5]
    assert [point.verdict for point in points] == ["none", "none", "none", "equal", "better", "none", "worse"]
    assert [point.is_change for point in points] == [True, False, False, False, True, False, True]
    assert points[5].previous == 0.75


def test_points_come_as_soon_as_the_value_before_is_known() -> None:
    read: list[int] = []

    def rows() -> Any:
        for number in range(1_000, 0, -1):
            read.append(number)
            yield _row(number, 0.5 if number % 3 else MISSING)

    points = trace(rows(), KEY)
    assert int(next(points).experiment.rev) == 1_000
    assert len(read) <= 3


def test_commits_without_a_change_are_folded() -> None:
    points = _points([0.5, 0.5, MISSING, 0.6, 0.6, 0.6])[::-1]
    folded = [(int(one.point.experiment.rev), one.num_folded) for one in fold(points)]
    assert folded == [(5, 1), (3, 2), (0, 0)]


@given(st.lists(st.sampled_from([0.5, 0.6, MISSING, None, "a"]), max_size=30))
def test_folding_loses_no_commit(values: list[Any]) -> None:
    folded = list(fold(_points(values)[::-1]))
    assert sum(1 + one.num_folded for one in folded) == len(values)


def test_a_key_is_found_by_name_by_file_and_not_when_it_is_ambiguous() -> None:
    two_files = {"a.json": {"loss": 1.0, "only": 2.0}, "b.json": {"loss": 2.0}}
    rows = [Experiment("0" * 40, "commit", metrics=two_files, params={"params.yaml": {"lr": 1, "only": 3}})]
    assert find_key("only", rows) == Key("metric", "only")
    assert find_key("a.json:only", rows) == Key("metric", "only", "a.json")
    assert find_key("b.json:loss", rows) == Key("metric", "loss", "b.json")
    assert find_key("lr", rows) == Key("param", "lr")
    assert find_key("b.json:only", rows) is None
    with pytest.raises(UsageError, match=r"several files: a\.json:loss, b\.json:loss"):
        find_key("loss", rows)
    assert "did you mean only" in str(unknown_key("onyl", rows))


def test_a_step_is_one_commit() -> None:
    points = _points([0.9, 0.91, 0.9, 0.6, 0.61, 0.6])
    assert _places(last_move(points, _noise(0.05))) == ("step", 2, 3)
    assert _places(last_move(points, _noise(0.0))) == ("step", 4, 5)
    assert last_move(points, _noise(0.5)) is None


def test_small_steps_that_add_up_are_a_drift_from_where_the_plateau_began() -> None:
    points = _points([0.9, 0.9, 0.88, 0.86, 0.84, 0.82, 0.80])
    move = last_move(points, _noise(0.05))
    assert _places(move) == ("drift", 0, 6)
    assert move is not None
    assert move.delta == pytest.approx(-0.1)
    assert [int(point.experiment.rev) for point in move.changes] == [2, 3, 4, 5, 6]
    turned = last_move(_points([0.9, 0.88, 0.86, 0.84, 0.82, 0.82, 0.83]), _noise(0.05))
    assert _places(turned) == ("drift", 0, 4)


def test_a_drift_that_goes_on_is_one_and_ends_at_a_turn() -> None:
    down = [0.9 - 0.01 * number for number in range(30)]
    move = last_move(_points(down), _noise(0.025))
    assert _places(move) == ("drift", 0, 29)
    turned = last_move(_points([*down, *(0.62 + 0.01 * number for number in range(10))]), _noise(0.025))
    assert turned is not None
    assert turned.kind == "drift"
    assert turned.delta is not None
    assert turned.delta > 0


def test_a_drift_after_a_step_leaves_the_step_alone() -> None:
    found = moves(_points([0.9, 0.5, 0.52, 0.54, 0.56]), _noise(0.03))
    assert [_places(move) for move in found] == [("step", 0, 1), ("drift", 1, 3)]


def test_values_around_their_plateau_are_no_moves() -> None:
    points = _points([0.9, 0.92, 0.88, 0.92, 0.88, 0.9])
    assert last_move(points, _noise(0.025)) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0, 0.5))
def test_between_moves_everything_is_within_the_noise(values: list[float], size: float) -> None:
    points, noise = _points(values), _noise(size)
    first = 0
    for move in moves(points, noise):
        end = points.index(move.end)
        assert not any(noise.is_move(points[first].value, point.value) for point in points[first:end])
        assert noise.is_move(points[first].value, move.end.value)
        first = end
    assert not any(noise.is_move(points[first].value, point.value) for point in points[first:])


def test_what_is_no_number_moves_when_it_differs() -> None:
    assert _places(last_move(_points(["a", "a", "b", "b"]), _noise(5.0))) == ("step", 1, 2)
    assert last_move(_points([True, True]), _noise(0.0)) is None


def test_where_a_line_left_its_first_value() -> None:
    points = _points([0.9, 0.5, 0.9, 0.7, 0.6])
    assert _places(left(points, _noise(0.05))) == ("step", 2, 3)
    assert left(_points([0.9, 0.5, 0.9]), _noise(0.05)) is None
    assert _places(left(_points([0.9, 0.88, 0.86, 0.84]), _noise(0.05))) == ("drift", 0, 3)


def test_a_difference_as_large_as_the_noise_that_was_typed_does_not_count() -> None:
    assert not _noise(0.01).is_move(0.92, 0.91)
    assert _noise(0.01).is_move(0.92, 0.909)


def test_noise_of_seeds_is_what_two_single_results_differ_by_at_most() -> None:
    rows = [_row(number, value, seed=number, baseline="b") for number, value in enumerate([0.9, 0.92, 0.94, 0.96])]
    found = seed_noise(KEY, rows)
    assert found is not None
    assert found.source == "seeds"
    assert found.size == pytest.approx(3.182 * math.sqrt(2) * 0.025820, rel=0.01)
    assert "4 experiments" in found.detail
    assert seed_noise(KEY, rows[:1]) is None


def test_noise_of_examples_needs_the_score_that_the_metric_is() -> None:
    scores = [Score("accuracy", 100, 0.9, Interval(0.84, 0.96))]
    found = interval_noise(KEY, 0.9, scores)
    assert found is not None
    assert found.size == pytest.approx(0.06 * math.sqrt(2))
    assert interval_noise(KEY, 0.8, scores) is None
    assert interval_noise(Key("metric", "test/loss"), 0.9, scores) is None
