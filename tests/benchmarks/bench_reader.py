"""The list of experiments, finetui beside DVC, as whole processes: python -m tests.benchmarks.bench_reader [N] [MANY].

N experiments (1000) for both; the cold run of DVC takes 40 ms an experiment. MANY (10000) for what only finetui does.
"""

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.repositories import add_experiments, environment, make_repository
from tui.store import GitStore

_FINETUI = (sys.executable, "-m", "tui", "experiments", "--json")
_DVC = (str(Path(sys.executable).with_name("dvc")), "exp", "show", "--json", "-A")
_AFTER_IMPORTS = """
import sys, time
import pipeline.contract.yaml12, tui.__main__, tui.cli.reading, tui.store, tui.dvc
began = time.process_time()
tui.__main__.main(["experiments", "--json"])
sys.stderr.write(str(time.process_time() - began))
"""
_OURS, _THEIRS = Path(".dvc/tmp/finetui/cache"), Path(".dvc/tmp/exps/cache")
_RACY_S = 0.3


def cpu_seconds(root: Path, command: Sequence[str], without: Path | None = None) -> tuple[float, bytes]:
    """CPU seconds of a process and all that it started, and what it printed; without a cache if one is named."""
    if without is not None:
        shutil.rmtree(root / without, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=root, env=_environment(), capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def _environment() -> dict[str, str]:
    return {**environment(), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def median(root: Path, command: Sequence[str], repeat: int, without: Path | None = None) -> float:
    """Median of CPU seconds."""
    return statistics.median(cpu_seconds(root, command, without)[0] for _ in range(repeat))


def bench_processes(root: Path, num_experiments: int) -> None:
    """Cold and warm, beside DVC."""
    make_repository(root, num_experiments)
    ours, answer = cpu_seconds(root, _FINETUI, _OURS)
    theirs, expected = cpu_seconds(root, _DVC, _THEIRS)
    _check(json.loads(answer), json.loads(expected), num_experiments)
    ours = statistics.median([ours, *(cpu_seconds(root, _FINETUI, _OURS)[0] for _ in range(2))])
    _tell(f"{num_experiments} experiments, cold", ours, theirs, 30)
    _tell(f"{num_experiments} experiments, warm", median(root, _FINETUI, 9), median(root, _DVC, 3), 4)
    done = [
        subprocess.run(
            (sys.executable, "-c", _AFTER_IMPORTS), cwd=root, env=_environment(), capture_output=True, check=True
        )
        for _ in range(9)
    ]
    _tell_ms("warm, work after the imports", 1e3 * statistics.median(float(one.stderr) for one in done), 60)


def _check(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], num_experiments: int) -> None:
    """Both must have answered the same, or the figures mean nothing."""
    expected = {
        revision["rev"]: revision["data"]
        for commit in theirs
        for group in commit["experiments"] or ()
        for revision in group["revs"]
    }
    found = {row["rev"]: row for row in ours if row["kind"] == "experiment"}
    assert len(found) == num_experiments, (len(found), num_experiments)
    assert found.keys() == expected.keys()
    for rev, data in expected.items():
        for side in ("params", "metrics"):
            assert found[rev][side] == {path: one["data"] for path, one in data[side].items()}, (rev, side)


def bench_many(root: Path, num_experiments: int) -> None:
    """An open store: polls, and one experiment more."""
    baseline = make_repository(root, num_experiments, num_commits=1, is_packed=True)
    store = GitStore(root)
    began = time.process_time()
    rows = store.experiments()
    print(f"{num_experiments} experiments, first answer of a store {1e3 * (time.process_time() - began):9.1f} ms")
    time.sleep(_RACY_S)  # refs that were written this very moment are looked at again, to be sure
    store.experiments()
    _tell_ms(f"{num_experiments} experiments, a poll with nothing new", _cpu_ms(store.experiments, 20), 20)
    spent = []
    for number in range(5):
        add_experiments(root, baseline, num_experiments + number, 1)
        spent.append(_cpu_ms(store.experiments))
        time.sleep(_RACY_S)
        store.experiments()
    assert len(store.experiments()) == len(rows) + 5
    _tell_ms(f"{num_experiments} experiments, one new", statistics.median(spent), 50)


def _cpu_ms(work: Callable[[], object], repeat: int = 1) -> float:
    began = time.process_time()
    for _ in range(repeat):
        work()
    return 1e3 * (time.process_time() - began) / repeat


def _tell(label: str, ours: float, theirs: float, target: float) -> None:
    ratio = theirs / ours
    print(f"{label:<46} finetui {ours:6.2f} s  dvc {theirs:6.2f} s  {ratio:5.1f} times less (target {target})")


def _tell_ms(label: str, spent: float, target: float) -> None:
    print(f"{label:<46} {spent:9.1f} ms (target {target})")


if __name__ == "__main__":
    counts = [int(text) for text in sys.argv[1:3]]
    with tempfile.TemporaryDirectory() as scratch:
        bench_processes(Path(scratch) / "both", counts[0] if counts else 1_000)
        bench_many(Path(scratch) / "many", counts[1] if len(counts) > 1 else 10_000)
