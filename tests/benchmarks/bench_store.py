"""CPU milliseconds of the read side: python -m tests.benchmarks.bench_store [NUM_EXPERIMENTS]."""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline.contract.series import encode_point
from tests.unit.store_repos import add_experiment, finetui_project
from tui.core.catalogue import Cataloguer
from tui.core.columns import choose_columns, sort_key
from tui.core.filters import parse_filter
from tui.store import GitStore
from tui.store.series.points import LinesDecoder
from tui.store.series.tail import Tail

T = TypeVar("T")
_LINE = {"train/loss": 1.0, "train/learning_rate": 1e-4, "train/grad_norm": 0.5}


def measure(label: str, work: Callable[[], T], repeat: int = 1) -> T:
    """Run, print CPU milliseconds per call, and return the last result."""
    began = time.process_time()
    for _ in range(repeat):
        result = work()
    print(f"{label:<58} {1e3 * (time.process_time() - began) / repeat:9.2f} ms")
    return result


def bench_history(root: Path, num_experiments: int) -> None:
    """The table of experiments, cold, polled, and with one more."""
    builder = finetui_project(root / "project", num_experiments, num_commits=3)
    store = GitStore(builder.root)
    rows = measure(f"{num_experiments} experiments, cold", store.experiments)
    time.sleep(0.2)  # refs that were written this very moment are read again, to be sure
    store.experiments()
    measure("poll with nothing new", store.experiments, 20)
    add_experiment(builder, str(builder.repository.head.target), num_experiments)
    measure("one new experiment", store.experiments)
    measure("all of them again, new store, from the cache", lambda: GitStore(builder.root).experiments())
    measure("resolve one name, new store", lambda: GitStore(builder.root).resolve("exp-0001"))
    columns = measure("choose columns", lambda: choose_columns(rows))
    cataloguer = Cataloguer()
    cataloguer.update(rows)
    changed = replace(
        rows[-1], metrics={path: dict(values) for path, values in rows[-1].metrics.items()}, stage="train"
    )
    measure("columns when one row has changed", lambda: cataloguer.update([*rows[:-1], changed]))
    column = next(column for column in columns if column.text == "test/exact_match")
    measure("sort", lambda: sorted(rows, key=sort_key(column, True)))
    measure("filter", lambda: list(map(parse_filter("lora exact_match>0.5", rows).matches, rows)))
    measure("series of one experiment", lambda: store.series(rows[-1]))


def bench_tails(root: Path, num_files: int = 20, num_steps: int = 2_000) -> None:
    """Following live files."""
    paths = [root / f"{number}.jsonl" for number in range(num_files)]
    line = encode_point(1, 1.0, _LINE)
    for path in paths:
        path.write_bytes(line * num_steps)
    tails = [Tail(path, partial(LinesDecoder, "train")) for path in paths]

    def read() -> None:
        for tail in tails:
            tail.read()

    def append_and_read() -> None:
        for path in paths:
            with path.open("ab") as file:
                file.write(line)
        read()

    measure(f"{num_files} live files of {num_steps} steps, first read", read)
    measure("nothing new", read, 50)
    measure("one new step in each", append_and_read, 50)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        bench_history(Path(scratch), int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
        bench_tails(Path(scratch))
