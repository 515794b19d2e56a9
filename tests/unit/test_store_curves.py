"""Thinned curves and summaries of many experiments, and the files that they are kept in."""

import math
import sqlite3
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.store_repos import RepoBuilder, add_experiment, finetui_project, lock, make_run
from tui.core.experiments import Experiment
from tui.core.series import Event, Recording, Series, SeriesSummary
from tui.store import GitStore
from tui.store.cache_file import CACHE_FOLDER
from tui.store.layouts.lookup import Layouts
from tui.store.series.cache import Entry, SeriesCache
from tui.store.series.reader import SeriesReader
from tui.store.series.sources import Source
from tui.store.series.summaries import summarize
from tui.store.series.thinning import thin

NUMBERS = st.floats(-1e308, 1e308) | st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324])
VALUES = NUMBERS | st.just(math.nan)


def series_of(points: list[tuple[float, float]]) -> Series:
    return Series("train", "train/loss", array("d", [step for step, _ in points]), array("d", [v for _, v in points]))


def points_of(series: Series) -> list[tuple[float, float]]:
    return list(zip(series.steps, series.values, strict=True))


POINTS = st.lists(st.tuples(NUMBERS, VALUES), max_size=120).map(lambda points: sorted(points, key=lambda one: one[0]))


class TestThinning:
    """Property by property."""

    @given(POINTS, st.integers(1, 12))
    @example([(0, math.nan)] * 9, 2)
    def test_extremes_ends_and_gaps_stay(self, points: list[tuple[float, float]], num_buckets: int) -> None:
        series = series_of(points)
        kept = points_of(thin(series, num_buckets))
        if len(points) <= 2 * num_buckets:
            assert repr(kept) == repr(points_of(series))
            return
        assert kept[0][0] == points[0][0]
        assert kept[-1][0] == points[-1][0]
        buckets, thinned = self.split(points, num_buckets, points), self.split(kept, num_buckets, points)
        assert buckets.keys() == thinned.keys()
        for number, values in buckets.items():
            for extreme in (min, max):
                assert extreme(self.finite(values), default=None) == extreme(self.finite(thinned[number]), default=None)
            assert any(map(math.isnan, values)) == any(map(math.isnan, thinned[number]))
        assert len(kept) <= 4 * num_buckets + 2

    @given(POINTS, st.integers(1, 12))
    def test_what_stays_is_in_order_and_was_there(self, points: list[tuple[float, float]], num_buckets: int) -> None:
        rest = iter(map(repr, points))
        assert all(repr(one) in rest for one in points_of(thin(series_of(points), num_buckets)))

    @staticmethod
    def split(
        points: list[tuple[float, float]], num_buckets: int, of: list[tuple[float, float]]
    ) -> dict[int, list[float]]:
        low, span = of[0][0] / 2, of[-1][0] / 2 - of[0][0] / 2
        found: dict[int, list[float]] = {}
        for step, value in points:
            number = min(int((step / 2 - low) / span * num_buckets), num_buckets - 1) if span > 0 else 0
            found.setdefault(number, []).append(value)
        return found

    @staticmethod
    def finite(values: list[float]) -> list[float]:
        return [value for value in values if not math.isnan(value)]

    def test_a_gap_is_still_there_at_both_of_its_ends(self) -> None:
        values = [math.nan if 400 <= step < 600 else math.sin(step) for step in range(1_000)]
        kept = thin(series_of(list(zip(range(1_000), values, strict=True))), 10)
        gaps = [step for step, value in zip(kept.steps, kept.values, strict=True) if math.isnan(value)]
        assert (gaps[0], gaps[-1]) == (400, 599)


@given(POINTS)
def test_a_summary_is_what_a_loop_finds(points: list[tuple[float, float]]) -> None:
    finite = [(step, value) for step, value in points if not math.isnan(value)]
    found = summarize(series_of(points))
    assert found.num_points == len(finite)
    if not finite:
        assert found == SeriesSummary("train", "train/loss", 0, *[None] * 7)
        return
    low, high = min(finite, key=lambda one: one[1]), max(finite, key=lambda one: one[1])
    wanted = SeriesSummary(
        "train", "train/loss", len(finite), finite[0][1], finite[-1][1], finite[-1][0], low[1], low[0], high[1], high[0]
    )
    assert found == wanted


def same_bits(one: Recording, other: Recording) -> bool:
    pairs = zip(one.series, other.series, strict=True)
    return one.events == other.events and all(
        (a.stage, a.name, a.steps.tobytes(), a.values.tobytes())
        == (b.stage, b.name, b.steps.tobytes(), b.values.tobytes())
        for a, b in pairs
    )


class TestCache:
    """What comes back is what was put in."""

    @settings(max_examples=30, deadline=None)
    @given(st.lists(POINTS.filter(bool), max_size=4), st.text(max_size=5), st.booleans())
    def test_points_survive_bit_by_bit(
        self, tmp_path_factory: Any, found: list[Any], name: str, has_event: bool
    ) -> None:
        name = name.encode(errors="replace").decode()
        folder = tmp_path_factory.mktemp("cache")
        series = tuple(
            Series("s", f"{name}{n}", *(one.steps, one.values)) for n, one in enumerate(map(series_of, found))
        )
        wanted = Recording(series, (Event("s", 3, 0.5, "kl", "warn", name),) if has_event else ())
        cache = SeriesCache(folder)
        cache.learn("key", wanted)
        cache.learn_entry("rev", Entry(("key",), ("md5",)), is_final=True)
        cache.flush()
        again = SeriesCache(folder)
        assert again.entries(["rev", "other"]) == {"rev": Entry(("key",), ("md5",))}
        assert again.indexes(["key"])["key"].summaries == tuple(map(summarize, series))
        recording = again.recording("key")
        assert recording is not None
        assert same_bits(recording, wanted)
        assert again.recording("other") is None

    def test_steps_are_stored_once_and_regular_ones_not_at_all(self, tmp_path: Path) -> None:
        regular, odd = array("d", range(5, 505, 5)), array("d", [step**2 for step in range(100)])
        series = [
            Series("s", f"m{number}", steps, array("d", [number] * 100))
            for number, steps in enumerate([regular] * 3 + [odd] * 3)
        ]
        cache = SeriesCache(tmp_path)
        cache.learn("key", Recording(tuple(series)))
        cache.flush()
        with sqlite3.connect(tmp_path / "curves.sqlite") as connection:
            stored = dict(connection.execute("SELECT key, length(value) FROM curves"))
        assert len(stored) == 7
        assert sum(stored.values()) < 7 * 810


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    return finetui_project(tmp_path / "p", num_experiments=6)


def experiments(store: GitStore) -> list[Experiment]:
    return [row for row in store.experiments() if row.kind == "experiment"]


def everything(store: GitStore) -> Any:
    rows = experiments(store)
    curves = store.curves(rows, "train", "train/loss", 4)
    return store.summaries(rows), [one and points_of(one) for one in curves], [store.series(row) for row in rows]


def num_rows(builder: RepoBuilder) -> dict[str, int]:
    counts = {"entries": 0, "summaries": 0, "curves": 0}
    for file, tables in (("series", ("entries", "summaries")), ("curves", ("curves",))):
        if not (builder.root / CACHE_FOLDER / f"{file}.sqlite").exists():
            continue
        with sqlite3.connect(builder.root / CACHE_FOLDER / f"{file}.sqlite") as connection:
            for table in tables:
                counts[table] = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - ours
    return counts


def refuse(*_: Any) -> None:
    raise AssertionError("read again")


def test_a_new_store_reads_nothing_again(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    cold = everything(GitStore(builder.root))
    assert [len(found) for found in cold[0]] == [2] * 6
    assert cold[1][0][0][0] == 0
    monkeypatch.setattr(Source, "decode", refuse)
    monkeypatch.setattr(SeriesReader, "_examine", refuse)
    assert everything(GitStore(builder.root)) == cold


def test_threads_and_other_stores_may_ask_at_once(builder: RepoBuilder) -> None:
    shared = GitStore(builder.root)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(everything, shared if number % 2 else GitStore(builder.root)) for number in range(6)]
        found = [one.result() for one in asked]
    assert all(one == found[0] for one in found)
    assert num_rows(builder) == {"entries": 6, "summaries": 6, "curves": 12}


def test_summaries_are_those_of_the_series(builder: RepoBuilder) -> None:
    store = GitStore(builder.root)
    rows = [*store.experiments(), Experiment("f" * 40, "commit")]
    assert store.summaries(rows) == [tuple(map(summarize, store.series(row))) for row in rows]
    assert store.summaries(rows)[0]
    assert store.summaries(rows)[-1] == ()


def test_one_new_experiment_is_one_new_entry(builder: RepoBuilder) -> None:
    everything(GitStore(builder.root))
    before = num_rows(builder)
    add_experiment(builder, str(builder.repository.head.target), 99)
    everything(GitStore(builder.root))
    after = num_rows(builder)
    assert {table: after[table] - before[table] for table in after} == {"entries": 1, "summaries": 1, "curves": 2}


def test_content_that_experiments_share_is_kept_once(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "p")
    baseline = builder.commit({"data/metrics/train/series.csv": "step,train/loss\n1,2\n"})
    for number in range(3):
        builder.experiment(f"e{number}", baseline, {"notes": str(number)})
    store = GitStore(builder.root)
    assert len(set(store.summaries(store.experiments()[1:]))) == 1
    assert num_rows(builder) == {"entries": 4, "summaries": 1, "curves": 1}


@pytest.mark.parametrize("lost", ["curves.sqlite", "series.sqlite", "both", "garbage"])
def test_what_is_thrown_away_is_read_again(builder: RepoBuilder, lost: str) -> None:
    cold = everything(GitStore(builder.root))
    folder = builder.root / CACHE_FOLDER
    for file in folder.glob("*.sqlite*"):
        if lost == "garbage" and file.suffix == ".sqlite":
            file.write_bytes(b"nothing that SQLite wrote" * 1000)
        elif lost == "both" or file.name.startswith(lost):
            file.unlink()
    assert everything(GitStore(builder.root)) == cold
    assert everything(GitStore(builder.root)) == cold


@pytest.mark.parametrize("table", ["entries", "summaries", "curves"])
@pytest.mark.parametrize("asked", ["summaries", "curves"])
def test_one_table_that_is_emptied_is_filled_again(
    builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch, table: str, asked: str
) -> None:
    def ask() -> Any:
        store = GitStore(builder.root)
        rows = experiments(store)
        if asked == "summaries":
            return store.summaries(rows)
        return [one and points_of(one) for one in store.curves(rows, "train", "train/loss", 4)]

    cold, counts = ask(), num_rows(builder)
    with sqlite3.connect(builder.root / CACHE_FOLDER / f"{'curves' if table == 'curves' else 'series'}.sqlite") as file:
        file.execute(f"DELETE FROM {table}")  # noqa: S608 - ours
    assert ask() == cold
    if (table, asked) != ("curves", "summaries"):  # which needs no points
        assert num_rows(builder) == counts
        monkeypatch.setattr(Source, "decode", refuse)
        assert ask() == cold


def test_an_entry_is_never_written_without_what_its_sources_hold(tmp_path: Path) -> None:
    cache = SeriesCache(tmp_path)
    assert cache.entries(["rev"]) == {}
    with sqlite3.connect(tmp_path / "series.sqlite") as file:
        file.execute("DROP TABLE entries")
    cache.learn("key", Recording((series_of([(1, 2)]),)))
    cache.learn_entry("rev", Entry(("key",)), is_final=True)
    cache.flush()
    assert SeriesCache(tmp_path).indexes(["key"]) == {}


def test_points_that_vanish_while_the_store_is_open(builder: RepoBuilder) -> None:
    store = GitStore(builder.root)
    rows = experiments(store)
    store.summaries(rows)
    again = GitStore(builder.root)
    again.summaries(rows)
    with sqlite3.connect(builder.root / CACHE_FOLDER / "curves.sqlite") as connection:
        connection.execute("DELETE FROM curves")
    assert [one and len(one.steps) for one in again.curves(rows, "train", "train/loss", 4)] == [
        one and len(one.steps) for one in store.curves(rows, "train", "train/loss", 4)
    ]


def test_a_folder_that_cannot_be_written_costs_only_time(builder: RepoBuilder) -> None:
    wanted = everything(GitStore(builder.root))
    folder = builder.root / CACHE_FOLDER
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder.write_text("a file where the folder should be")
    assert everything(GitStore(builder.root)) == wanted


def test_content_that_arrives_in_the_dvc_cache_is_seen(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "p")
    table = b"epoch,loss\n1,0.5\n2,0.25\n"
    md5 = builder.cache(table)
    place = builder.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    place.unlink()
    pipeline = "stages:\n  fit:\n    cmd: x\n    plots:\n    - cached.csv:\n        x: epoch\n"
    builder.commit({"dvc.yaml": pipeline, "dvc.lock": lock({"fit": {"cached.csv": md5}})})
    store = GitStore(builder.root)
    row = store.resolve("HEAD")
    assert store.summaries([row]) == [()]
    assert GitStore(builder.root).summaries([row]) == [()]
    assert num_rows(builder) == {"entries": 1, "summaries": 0, "curves": 0}
    builder.cache(table)
    for reader in (store, GitStore(builder.root)):
        assert [one.last for one in reader.summaries([row])[0]] == [0.25]
    place.unlink()
    assert [one.last for one in GitStore(builder.root).summaries([row])[0]] == [0.25]


def test_what_is_read_before_dvc_has_answered_is_not_kept(
    builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = Layouts.of

    def pending(self: Layouts, files: Any) -> Any:
        layout = of(self, files)
        layout.is_final = False
        return layout

    monkeypatch.setattr(Layouts, "of", pending)
    store = GitStore(builder.root)
    assert len(store.summaries(experiments(store))[0]) == 2
    assert num_rows(builder)["entries"] == 0


def test_a_run_that_stopped_hides_what_its_baseline_left(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p")
    table = "step,align/kl\n1,2\n"
    baseline = builder.commit({"data/metrics/align/series.csv": table})
    record = {"stage": "train", "status": "failed", "error": "loss is NaN", "started_at": "2024-01-01T00:00:00"}
    message = "x\n\nFinetui-Status: failed\n"
    rev = builder.experiment("broken", baseline, {"data/metrics/train/run.json": record}, message)
    store = GitStore(builder.root)
    stages = [{one.stage for one in store.summaries([store.resolve(name)])[0]} for name in ("broken", "HEAD")]
    assert stages == [{"train"}, {"train", "align"}]
    assert {one.stage for one in store.summaries([Experiment(rev, "experiment")])[0]} == {"train", "align"}


def test_running_experiments_are_followed_and_not_kept(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p")
    store = GitStore(builder.root)
    run = make_run(builder, str(builder.repository.head.target))
    builder.write({"dvc.yaml": "stages: {}\n"}, run.directory)
    path = run.directory / "data/metrics/train/series.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"step":1,"train/loss":4}\n{"step":2,"train/')
    row = next(row for row in store.experiments([run]) if row.run_id == run.id)
    assert [one.last for one in store.summaries([row])[0]] == [4]
    with path.open("a") as file:
        file.write('loss":3}\n')
    (curve,) = store.curves([row], "train", "train/loss", 10)
    assert curve is not None
    assert points_of(curve) == [(1, 4), (2, 3)]
    assert store.curves([row], "train", "train/other", 10) == [None]
