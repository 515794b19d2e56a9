"""Bisect over a real pipeline: runs of untested commits, a kill in the middle of one, and going on from there."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.projects import commit, dvc, end_runs, fingerprint, git, make_project, wait_for
from tui.__main__ import main
from tui.core.runs import Run
from tui.dvc import DvcRunner

pytestmark = pytest.mark.slow
CONDITION = "eval/score >= 5"
VALUES = (9, 9, 8, 3, 2, 1)
"""Of the commits, oldest first: the second has the results of the first by right, the fourth is the first bad one."""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Results are committed with the first and the last commit; those between have what the first one left."""
    project = make_project(tmp_path / "project", ("train",))
    for number, value in enumerate(VALUES):
        _set(project, "value", value)
        if number in {0, len(VALUES) - 1}:
            dvc(project, "repro", "--quiet")
        commit(project, f"commit {number}")
        git(project, "tag", f"c{number}")
    yield project
    end_runs(project)


def _set(root: Path, key: str, value: Any) -> None:
    params = root / "params.yaml"
    lines = params.read_text().splitlines()
    params.write_text("".join(f"  {key}: {value}\n" if f" {key}:" in line else f"{line}\n" for line in lines))


def _bisect(root: Path, *arguments: str) -> int:
    return main(["-C", str(root), "bisect", *arguments])


def _printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def _runs(root: Path) -> list[Run]:
    return DvcRunner(root).runs()


def _places(root: Path) -> list[str]:
    """Tags of the commits that were run, oldest run first."""
    return [git(root, "describe", "--tags", "--exact-match", run.baseline) for run in reversed(_runs(root))]


def test_only_commits_with_results_of_other_params_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = fingerprint(root)
    assert _bisect(root, "c0", "c5", CONDITION, "--plan", "--json") == 0
    plan = _printed(capsys)
    assert (plan["next"], plan["max_runs"]) == (git(root, "rev-parse", "c3"), 2)
    assert _bisect(root, "c0", "c5", CONDITION, "--json") == 0
    told = _printed(capsys)
    assert told["first_bad"] == git(root, "rev-parse", "c3")
    assert [(one["how"], one["value"]) for one in told["tested"]] == [
        ("stored", 9.03), ("stored", 9.03), ("run", 8.03), ("run", 3.03), ("stored", 1.03)
    ]  # fmt: skip
    assert _places(root) == ["c3", "c2"]
    assert told["diff"]["params"]["train.value"] == [8, 3]
    assert fingerprint(root) == before
    assert _bisect(root, "reset") == 0
    assert _bisect(root, "c0", "c5", CONDITION) == 0
    assert _places(root) == ["c3", "c2"]


def test_a_killed_bisect_picks_up_the_run_that_goes_on(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = ("-S", "train.pause_s=1", "-S", "train.steps=4")
    command = [sys.executable, "-m", "tui", "-C", str(root), "bisect", "c0", "c5", CONDITION, *slow]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: [run for run in _runs(root) if run.is_active and run.progress[0].step])
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert [run.is_active for run in _runs(root)] == [True]
    assert _bisect(root, "status", "--json") == 0
    told = _printed(capsys)
    assert told["going"]["run"] == _runs(root)[0].id
    assert told["must_run"] == [git(root, "rev-parse", tag) for tag in ("c0", "c5")]
    assert _bisect(root, "run") == 0
    assert f"{git(root, 'rev-parse', '--short=7', 'c3')} commit 3 is the first commit" in capsys.readouterr().out
    assert _places(root) == ["c0", "c5", "c2", "c3"]


def test_commits_that_fail_are_gone_around_and_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(root, "checkout", "-q", "-b", "broken", "c1")
    for number in (2, 3):
        _set(root, "fail_at", 1)
        _set(root, "value", VALUES[number])
        commit(root, f"broken {number}")
    for number in (4, 5):
        _set(root, "fail_at", 0)
        _set(root, "value", VALUES[number])
        if number == 5:
            dvc(root, "repro", "--quiet")
        commit(root, f"mended {number}")
    assert _bisect(root, "c0", "broken", CONDITION, "--json") == 1
    told = _printed(capsys)
    line = git(root, "rev-list", "--first-parent", "--reverse", "c0..broken").splitlines()
    assert told["candidates"] == line[1:4]
    skipped = {one["rev"]: one["reason"] for one in told["tested"] if one["mark"] == "skip"}
    assert skipped == {rev: "its run failed: train: step 1 went wrong" for rev in line[1:3]}
