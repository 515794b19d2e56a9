"""CPU milliseconds of SQL over experiments: python -m tests.benchmarks.bench_query [NUM_EXPERIMENTS]."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb

from tests.unit.store_repos import finetui_project
from tui.core.experiments import Experiment, flat_values
from tui.store import GitStore
from tui.store.sql.query import QueryEngine

T = TypeVar("T")
MEAN = "SELECT avg(value) FROM metrics WHERE key = 'test/exact_match'"
JOINED = "SELECT p.value, avg(m.value) FROM params AS p JOIN metrics AS m USING (rev, name) GROUP BY p.value"


def measure(label: str, work: Callable[[], T], base_ms: float = 0.0) -> tuple[T, float]:
    """Run, print CPU milliseconds and how many times less than the base that is."""
    began = time.process_time()
    result = work()
    taken = 1e3 * (time.process_time() - began)
    print(f"{label:<58} {taken:9.2f} ms{f'  {base_ms / taken:6.1f} x less' if base_ms else ''}")
    return result, taken


def insert_rows(rows: list[Experiment]) -> None:
    """Params and metrics in a table, one INSERT for each value: what the columns are measured against."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE found (rev VARCHAR, key VARCHAR, value VARCHAR)")
        found = [
            (row.rev, key, str(value))
            for row in rows
            for files in (row.params, row.metrics)
            for key, value in flat_values(files).items()
        ]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO found VALUES (?, ?, ?)", found[:2_000])  # more would take minutes
        connection.execute("COMMIT")
    print(f"{'':<58} {min(len(found), 2_000)} of {len(found)} values")


def bench_engine(root: Path) -> None:
    """Filling, and asking again."""
    store = GitStore(root)
    rows = store.experiments()
    _, base_ms = measure("2,000 values, row by row", lambda: insert_rows(rows))
    engine = QueryEngine(store)
    measure("params and metrics, all of them, with the first query", lambda: engine.run(JOINED, rows), base_ms)
    _, first_ms = measure("series and their summary", lambda: engine.run("FROM series_summary, series LIMIT 1", rows))
    measure("the same again", lambda: engine.run("FROM series_summary, series LIMIT 1", rows), first_ms)
    measure("another question to the same tables", lambda: engine.run(MEAN, rows), base_ms)


def bench_command(root: Path) -> None:
    """The whole command, with the process that it starts."""
    for arguments in (("experiments", "--json"), ("query", MEAN)):
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "tui", "-C", str(root), *arguments], stdout=subprocess.DEVNULL, check=True
        )
        after = os.times()
        taken = after.children_user + after.children_system - before.children_user - before.children_system
        print(f"{f'finetui {arguments[0]}':<58} {1e3 * taken:9.2f} ms")


def main() -> None:
    """All of them, on a project that is made for it."""
    num_experiments = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    with tempfile.TemporaryDirectory() as folder:
        builder = finetui_project(Path(folder) / "project", num_experiments, num_commits=3)
        GitStore(builder.root).experiments()
        bench_engine(builder.root)
        bench_command(builder.root)


if __name__ == "__main__":
    main()
