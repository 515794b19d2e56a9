"""Runs from the command line: launched, followed, stopped, with the exit codes that scripts rely on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects import commit, end_runs, fingerprint, git, make_project, wait_for
from tui.__main__ import main

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    root = make_project(tmp_path / "project")
    yield root
    end_runs(root)


def run(project: Path, *arguments: str) -> int:
    return main(["-C", str(project), *arguments])


def test_a_run_becomes_an_experiment_and_leaves_the_workspace_alone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = fingerprint(project)
    assert run(project, "run", "--name", "small", "-S", "train.value=9") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("small: done, ")
    assert "stage 3 of 3 evaluate" in captured.err
    assert fingerprint(project) == before
    assert run(project, "show", "small", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["status"] == "done"
    assert shown["params"]["params.yaml"]["train"]["value"] == 9
    assert shown["metrics"]["data/metrics/train/metrics.json"]["eval/score"] == pytest.approx(9.03)
    assert run(project, "logs", "small") == 0
    assert "train: step 3" in capsys.readouterr().out


def test_a_failed_run_is_exit_code_1_and_stays_visible(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "run", "--name", "bad", "-S", "train.fail_at=2") == 1
    assert "finetui logs bad" in capsys.readouterr().err
    assert run(project, "experiments", "--json") == 0
    (row,) = [row for row in json.loads(capsys.readouterr().out) if row["name"] == "bad"]
    assert row["status"] == "failed"
    assert "step 2 went wrong" in row["error"]
    assert row["metrics"]["data/metrics/train/metrics.json"]["eval/score"] == pytest.approx(2.02)


def test_a_detached_run_can_be_stopped(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = ("-S", "train.steps=1000", "-S", "train.pause_s=0.1")
    assert run(project, "run", "--detach", "--json", "--name", "long", *slow) == 0
    started = json.loads(capsys.readouterr().out)
    assert started["status"] == "running"
    log = Path(started["log"])
    wait_for(lambda: log.exists() and "train: step 2" in log.read_text())
    assert run(project, "stop", "long", "--json") == 0
    assert json.loads(capsys.readouterr().out)["status"] == "cancelled"
    assert run(project, "stop", "long") == 1
    assert run(project, "show", "long", "--json") == 0
    assert json.loads(capsys.readouterr().out)["status"] == "cancelled"


def test_a_commit_can_be_run_instead_of_the_workspace(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("value: 2 ", "value: 7 "))
    commit(project, "Another value")
    assert run(project, "run", "--rev", "HEAD~1", "--plan") == 0
    assert "prepare" in capsys.readouterr().out
    assert run(project, "run", "--rev", "HEAD~1", "--name", "again") == 0
    capsys.readouterr()
    assert run(project, "show", "again", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["baseline"] == git(project, "rev-parse", "HEAD~1")
    assert shown["metrics"]["data/metrics/train/metrics.json"]["eval/score"] == pytest.approx(2.03)
    assert run(project, "run", "--rev", "again") == 2
    assert "is an experiment" in capsys.readouterr().err
