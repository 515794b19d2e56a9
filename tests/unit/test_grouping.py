"""Experiments that differ only in their seed: groups, spread, noise."""

import math
import random
import statistics
from dataclasses import replace
from typing import Any

import pytest
from scipy.stats import t, ttest_ind_from_stats

from tui.core.comparison import compare_groups
from tui.core.experiments import Experiment
from tui.core.grouping import (
    Spread,
    format_spread,
    group_by_seed,
    is_beyond_noise,
    is_seed,
    pooled_std,
    spread_of,
    t_point,
)
from tui.core.keys import Key

BASE = "f" * 40


def run(name: str, seed: Any, score: float, lr: float = 0.1, **more: Any) -> Experiment:
    params = {"params.yaml": {"train": {"lr": lr, "seed": seed}, "base": {"seed": 0}}}
    values: dict[str, Any] = {
        "params": params,
        "metrics": {"m.json": {"acc": score, "duration_s": sum(map(ord, name))}},
    }
    return Experiment(name * 8, "experiment", name, **{"baseline": BASE, **values, **more})


def names(experiments: list[Experiment]) -> list[list[str]]:
    return [[one.label for one in group.experiments] for group in group_by_seed(experiments)]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("seed", True),
        ("train.seed", True),
        ("model.random_state", True),
        ("random_seed", True),
        ("prepare.Seed", True),
        ("seed.start", False),
        ("train.seeds", False),
        ("seed_fraction", False),
    ],
)
def test_a_seed_is_known_by_the_last_part_of_its_name(key: str, expected: bool) -> None:
    assert is_seed(key) is expected


def test_experiments_that_differ_only_in_seeds_are_one_group() -> None:
    rows = [run("a", 0, 0.5), run("b", 0, 0.9, lr=0.2), run("c", 1, 0.7), run("d", 2, 0.6), run("e", 3, 0.8, lr=0.2)]
    assert names(rows) == [["a", "c", "d"], ["b", "e"]]
    first = group_by_seed(rows)[0]
    assert first.label == "a and 2 more"
    assert first.seeds == (
        {"train.seed": 0, "base.seed": 0},
        {"train.seed": 1, "base.seed": 0},
        {"train.seed": 2, "base.seed": 0},
    )


def test_values_that_are_the_same_to_a_person_are_the_same_param() -> None:
    assert names([run("a", 0, 0.5, lr=1), run("b", 1, 0.6, lr=1.0)]) == [["a", "b"]]
    assert names([run("a", 0, 0.5, lr=1), run("b", 1, 0.6, lr=True)]) == [["a"], ["b"]]
    assert names([run("a", 0, 0.5, lr=math.nan), run("b", 1, 0.6, lr=math.nan)]) == [["a", "b"]]


def test_code_whose_hash_is_not_known_is_that_of_the_commit() -> None:
    deps = {"data.csv": "1" * 32, "train.py": None}
    a, b = run("a", 0, 0.5, deps=deps), run("b", 1, 0.6, deps=deps)
    c, d = run("c", 2, 0.9, deps=deps, baseline="e" * 40), run("d", 3, 0.9, deps={**deps, "data.csv": "2" * 32})
    assert names([a, b, c, d]) == [["a", "b"], ["c"], ["d"]]
    made = {"data.csv": "1" * 32, "model.bin": None}
    e, f = (run(name, n, 0.5, deps=made, outs={"model.bin": None}, baseline=name * 40) for n, name in enumerate("ef"))
    assert names([e, f]) == [["e", "f"]]


def test_other_code_is_another_experiment() -> None:
    a, b, c = run("a", 0, 0.5), run("b", 1, 0.6, baseline="e" * 40), run("c", 2, 0.7)
    assert names([a, b, c]) == [["a", "c"], ["b"]]
    same = {"train.py": "1" * 32, "data/model": "2" * 32}
    own = [replace(a, deps=same, outs={"data/model": "2" * 32})]
    own.append(replace(b, deps={**same, "data/model": "3" * 32}, outs={"data/model": "3" * 32}))
    own.append(replace(c, deps={**same, "train.py": "4" * 32}, outs={"data/model": "2" * 32}))
    assert names(own) == [["a", "b"], ["c"]]


def test_the_commit_itself_repeats_its_experiments() -> None:
    commit = replace(run("a", 0, 0.5), rev=BASE, kind="commit", name=None, refs=("main",), baseline=None)
    assert names([commit, run("b", 1, 0.6)]) == [["main", "b"]]


@pytest.mark.parametrize(
    "change", [{"kind": "workspace"}, {"status": "running"}, {"status": "failed"}, {"metrics": {}}]
)
def test_what_is_no_result_repeats_nothing(change: dict[str, Any]) -> None:
    assert names([run("a", 0, 0.5), replace(run("b", 1, 0.6), **change)]) == [["a"], ["b"]]


def test_the_same_result_again_says_no_more() -> None:
    rows = [run("a", 0, 0.5), run("b", 0, 0.5), run("c", 0, 0.6), run("d", 1, 0.5)]
    (group,) = group_by_seed(rows)
    assert [one.label for one in group.experiments] == ["a", "c", "d"]
    assert group.num_same == 1


def test_the_spread_is_that_of_the_finite_numbers() -> None:
    assert spread_of([1.0, 2.0, 4.0, None, "text", True, math.nan]) == Spread(
        3, 7 / 3, statistics.stdev([1, 2, 4]), 1.0, 4.0
    )
    assert spread_of([3]) == Spread(1, 3.0, None, 3.0, 3.0)
    assert spread_of(["text"]) is None
    assert format_spread(Spread(3, 0.5, 0.0123, 0.4, 0.6)) == "0.5 ± 0.0123 (3)"
    assert format_spread(Spread(1, 0.5, None, 0.5, 0.5)) == "0.5"


def test_noise_is_pooled_over_the_groups() -> None:
    rows = [
        run("a", 0, 0.5),
        run("b", 1, 0.7),
        run("c", 0, 0.1, lr=0.2),
        run("d", 1, 0.2, lr=0.2),
        run("e", 2, 0.3, lr=0.2),
    ]
    variances = statistics.variance([0.5, 0.7]), statistics.variance([0.1, 0.2, 0.3])
    spreads = [group.spread(Key("metric", "acc")) for group in group_by_seed(rows)]
    std, freedom = pooled_std(spreads)
    assert std == pytest.approx(math.sqrt((variances[0] + 2 * variances[1]) / 3))
    assert freedom == 3
    assert pooled_std([None, Spread(1, 0.5, None, 0.5, 0.5)]) == (None, 0)


def test_means_are_tested_as_scipy_tests_them() -> None:
    rng = random.Random(4)
    seen = set()
    for _ in range(200):
        one = spread_of([rng.gauss(0, 1) for _ in range(rng.randrange(2, 9))])
        two = spread_of([rng.gauss(1, 2) for _ in range(rng.randrange(2, 9))])
        assert one is not None
        assert two is not None
        test = ttest_ind_from_stats(one.mean, one.std, one.num, two.mean, two.std, two.num, equal_var=False)
        found = is_beyond_noise(one, two, [one, two])
        seen.add(found)
        # whole degrees of freedom are a little less than those of scipy: never more eager, rarely more careful
        assert not (found and test.pvalue >= 0.05)
        assert found or test.pvalue > 0.005
    assert seen == {True, False}


def test_the_points_of_t_are_those_of_scipy() -> None:
    other = Spread(1, 0.0, None, 0.0, 0.0)
    for freedom in (1, 2, 5, 30):
        many = Spread(freedom + 1, 9.0, 1.0, 8.0, 10.0)
        edge = float(t.ppf(0.975, freedom)) * math.sqrt(2)
        assert is_beyond_noise(Spread(1, edge * 1.001, None, 0, 0), other, [many]) is True
        assert is_beyond_noise(Spread(1, edge * 0.999, None, 0, 0), other, [many]) is False


@pytest.mark.parametrize("freedom", [1, 1.9, 2, 7.5, 30, 30.5, 31, 45, 100, 1000, math.inf])
def test_the_points_of_t_are_never_too_small_and_close(freedom: float) -> None:
    exact = t.ppf(0.975, math.floor(freedom) if freedom <= 30 else freedom)
    assert exact - 0.001 <= t_point(freedom) <= exact * 1.005


def test_without_repetitions_nothing_tells_the_noise() -> None:
    one, two = Spread(1, 1.0, None, 1.0, 1.0), Spread(1, 2.0, None, 2.0, 2.0)
    assert is_beyond_noise(one, two, [one, two]) is None
    exact = Spread(2, 1.0, 0.0, 1.0, 1.0)
    assert is_beyond_noise(exact, replace(exact, mean=1.1), []) is True


def test_groups_beside_each_other_show_means_and_what_is_noise() -> None:
    rows = [run("a", 0, 0.50), run("b", 1, 0.54), run("c", 2, 0.52)]
    rows += [run("d", 0, 0.53, lr=0.2), run("e", 1, 0.51, lr=0.2), run("f", 2, 0.55, lr=0.2)]
    rows += [run("g", 0, 0.91, lr=0.3), run("h", 1, 0.93, lr=0.3), run("i", 2, 0.95, lr=0.3)]
    comparison = compare_groups(group_by_seed(rows))
    assert comparison.labels == ("a and 2 more", "d and 2 more", "g and 2 more")
    accuracy = next(row for row in comparison.metrics if row.key == "acc")
    assert [cell.verdict for cell in accuracy.cells] == ["equal", "noise", "better"]
    assert accuracy.cells[2].value == pytest.approx(0.93)
    assert accuracy.cells[2].spread is not None
    assert accuracy.cells[2].spread.std == pytest.approx(0.02)
    params = {row.key: row for row in comparison.params}
    assert params["train.seed"].values == ([0, 1, 2], [0, 1, 2], [0, 1, 2])
    assert [row.key for row in comparison.changed_params] == ["train.lr", "train.seed"]


def test_single_runs_beside_a_repeated_one_use_its_noise() -> None:
    rows = [
        run("a", 0, 0.50),
        run("b", 1, 0.54),
        run("c", 2, 0.52),
        run("d", 0, 0.55, lr=0.2),
        run("e", 0, 0.9, lr=0.3),
    ]
    comparison = compare_groups(group_by_seed(rows), baseline=1)
    accuracy = next(row for row in comparison.metrics if row.key == "acc")
    assert [cell.verdict for cell in accuracy.cells] == ["noise", "equal", "better"]


def test_a_thousand_experiments_are_grouped_at_once() -> None:
    rows = [run(str(i), i % 3, i / 1000, lr=(i // 3) / 7) for i in range(1000)]
    assert len(group_by_seed(rows)) == 334


def test_experiments_on_other_data_are_no_repeats_though_a_dvc_file_tracks_it() -> None:
    one = {"outs": {"data.csv": "a"}, "deps": {"data.csv": "a", "train.py": "c"}, "data_sources": ("data.csv",)}
    two = {"outs": {"data.csv": "b"}, "deps": {"data.csv": "b", "train.py": "c"}, "data_sources": ("data.csv",)}
    made = {"outs": {"data.csv": "b"}, "deps": {"data.csv": "b", "train.py": "c"}}
    assert names([run("a", 0, 0.5, **one), run("b", 1, 0.6, **one), run("c", 2, 0.7, **two)]) == [["a", "b"], ["c"]]
    other = {**made, "outs": {"data.csv": "d"}, "deps": {"data.csv": "d", "train.py": "c"}}
    assert names([run("a", 0, 0.5, **made), run("b", 1, 0.6, **other)]) == [["a", "b"]]  # a stage made it of the same
