"""Series of many experiments, ours beside other tools: python -m tests.benchmarks.bench_series [--scale 0.1].

CPU milliseconds. `--scale` makes our projects smaller; other tools hold `--peers` times twenty short or two long runs,
as loading a thousand takes MLflow an hour, and are compared per run.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TypeVar

from tests.benchmarks.series_peers import PEERS, Peer, is_installed
from tests.benchmarks.series_shapes import METRICS, Shape, add_run, make_project
from tui.core.experiments import Experiment
from tui.store import GitStore
from tui.store.cache_file import CACHE_FOLDER

T = TypeVar("T")
_BUCKETS = 400
_LAST_AND_BEST_MS, _ONE_METRIC_MS = 100, 150
"""Targets: of 1,000 runs x 1,000 steps, of 50 runs x 20,000 steps; both x 10 metrics."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds per run."""

    last_and_best: float
    one_metric: float


def measure(label: str, work: Callable[[], T], target_ms: float | None = None) -> tuple[float, T]:
    """Run and print; CPU milliseconds and the result."""
    began = time.process_time()
    result = work()
    cost = 1e3 * (time.process_time() - began)
    told = "" if target_ms is None else f"   target {target_ms:.0f}: {'held' if cost <= target_ms else 'MISSED'}"
    print(f"  {label:<58} {cost:10.1f} ms{told}", flush=True)
    return cost, result


def runs_of(store: GitStore) -> list[Experiment]:
    """Its experiments."""
    return [row for row in store.experiments() if row.kind == "experiment"]


def bench_ours(root: Path, shape: Shape) -> Cost:
    """Cold, warm with a new store, with one more run, and in SQL."""
    builder = make_project(root, shape)
    measure("rows of all experiments, cold", lambda: GitStore(root).experiments())
    store = GitStore(root)
    rows = runs_of(store)
    measure("last and best of every metric, cold: every file is read", lambda: store.summaries(rows))

    store = GitStore(root)
    target = _LAST_AND_BEST_MS if shape.num_runs >= 1_000 else None
    warm, found = measure("last and best of every metric, warm", lambda: store.summaries(rows), target)
    assert sum(map(len, found)) == shape.num_runs * len(METRICS)
    store = GitStore(root)
    some = rows[:50]
    target = _ONE_METRIC_MS if len(some) == 50 and shape.num_steps >= 20_000 else None
    curves_ms, curves = measure(
        f"one metric of {len(some)}, thinned, warm",
        lambda: store.curves(some, "train", METRICS[0], _BUCKETS),
        target,
    )
    assert all(curve is not None and len(curve.steps) <= shape.num_steps for curve in curves)
    measure("the same again", lambda: store.curves(some, "train", METRICS[0], _BUCKETS))

    store.summaries(rows)
    table = next(Shape(1, shape.num_steps).tables())
    add_run(builder, str(builder.repository.head.target), shape.num_runs, table)
    rows = runs_of(store)
    measure("one new experiment: last and best of all", lambda: store.summaries(rows))
    bench_sql(root)
    return Cost(warm / shape.num_runs, curves_ms / len(some))


def bench_sql(root: Path) -> None:
    """What one more process that answers SQL takes, by the clock."""
    store = GitStore(root)
    store.query("SELECT 1")
    for label, sql in (
        ("SQL: best of every metric", "SELECT metric, min(lowest) FROM series_summary GROUP BY metric"),
        ("SQL: all points, first time", "SELECT metric, avg(value) FROM series GROUP BY metric"),
        ("SQL: all points, again", "SELECT metric, max(value) FROM series GROUP BY metric"),
    ):
        began = time.perf_counter()
        store.query(sql, timeout_s=300)
        print(f"  {label:<58} {1e3 * (time.perf_counter() - began):10.1f} ms by the clock", flush=True)


def bench_peer(peer: type[Peer], shape: Shape, folder: Path) -> Cost:
    """One other tool."""
    tool = peer(folder)
    measure(f"{peer.name}: write {shape.num_runs} runs", lambda: tool.write(shape))
    last, count = measure(f"{peer.name}: last and best", tool.last_and_best)
    one, points = measure(f"{peer.name}: one metric", tool.one_metric)
    assert (count, points) == (shape.num_runs * len(METRICS), shape.num_runs * shape.num_steps)
    return Cost(last / shape.num_runs, one / shape.num_runs)


def compare(shape: Shape, num_peer_runs: int, scratch: Path) -> None:
    """All of one shape."""
    print(f"\n{shape.title}")
    ours = bench_ours(scratch / "ours", shape)
    size = sum(path.stat().st_size for path in (scratch / "ours" / CACHE_FOLDER).glob("*.sqlite*"))
    print(f"  {'what is kept':<58} {size / 2**20:10.1f} MiB")
    rmtree(scratch / "ours")
    for peer in PEERS:
        if not is_installed(peer):
            print(f"  {peer.name}: {peer.package} is not installed (dependency group bench)")
            continue
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            theirs = bench_peer(peer, Shape(num_peer_runs, shape.num_steps), Path(folder))
        print(
            f"  {peer.name}: per run {theirs.last_and_best / ours.last_and_best:,.0f} times ours for last and best,"
            f" {theirs.one_metric / ours.one_metric:,.0f} times for one metric"
        )


def main() -> None:
    """Both shapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the 1,000 and of the 50 runs")
    parser.add_argument("--peers", type=float, default=1.0, help="times twenty short and two long runs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for number, steps, peer_runs in ((1_000, 1_000, 20), (50, 20_000, 2)):
            shape = Shape(max(1, round(number * arguments.scale)), steps)
            compare(shape, max(1, round(peer_runs * arguments.peers)), Path(scratch))


if __name__ == "__main__":
    main()
