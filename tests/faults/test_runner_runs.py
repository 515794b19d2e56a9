"""Runs from launch to end: right params, nothing of the user's touched, failures and stops told truthfully."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.projects import dvc, end_runs, fingerprint, git, make_project, wait_for
from tui.core.errors import UserError
from tui.core.runs import Run, RunRequest
from tui.dvc import DvcRunner, launch, processes
from tui.dvc.record import RunFiles


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    project = make_project(tmp_path / "project")
    yield project
    end_runs(project)


def _ended(runner: DvcRunner, run_id: str) -> Run:
    return wait_for(lambda: next((run for run in runner.runs() if run.id == run_id and not run.is_active), None))


def _running_stage(runner: DvcRunner, run_id: str, stage: str) -> Run:
    def find() -> Run | None:
        run = next(run for run in runner.runs() if run.id == run_id)
        assert run.is_active, run.error
        return run if any(part.stage == stage and part.step for part in run.progress) else None

    return wait_for(find)


def _start_impatient_supervisor(files: RunFiles) -> "subprocess.Popen[bytes]":
    """As the real one, but it does not wait ten seconds between two signals."""
    code = "from tui.dvc import supervisor; supervisor.GRACE_S = 1.0; supervisor.main()"
    command = [sys.executable, "-c", code, str(files.directory)]
    return subprocess.Popen(command, cwd=Path(launch.__file__).parents[2], start_new_session=True)


def _show(root: Path, rev: str, path: str) -> Any:
    return json.loads(git(root, "show", f"{rev}:{path}"))


def _trailers(root: Path, rev: str) -> str:
    return git(root, "log", "-1", "--format=%(trailers)", rev)


def test_a_run_ends_as_an_experiment_and_leaves_the_workspace_alone(root: Path) -> None:
    (root / "params.yaml").write_text((root / "params.yaml").read_text().replace("value: 1 ", "value: 10 "))
    (root / "staged.txt").write_text("new\n")
    git(root, "add", "staged.txt")
    (root / "untracked.txt").write_text("not seen\n")
    (root / "stage.py").write_text((root / "stage.py").read_text() + "# stashed\n")
    git(root, "stash", "push", "-q", "stage.py")
    before = fingerprint(root)
    runner = DvcRunner(root)
    run = _ended(runner, runner.launch(RunRequest({"train.value": 5}, name="first")).id)
    assert (run.status, run.name, run.error) == ("done", "first", None)
    assert [part.status for part in run.progress] == ["done", "done", "done"]
    assert fingerprint(root) == before
    baseline = git(root, "rev-parse", "HEAD")
    assert git(root, "rev-parse", f"refs/exps/{baseline[:2]}/{baseline[2:]}/first") == run.rev
    assert git(root, "rev-parse", f"{run.rev}^@") == baseline
    assert _show(root, run.rev or "", "data/metrics/prepare/metrics.json") == {"eval/score": 10.03}
    assert _show(root, run.rev or "", "data/metrics/train/metrics.json") == {"eval/score": 5.03}
    assert git(root, "show", f"{run.rev}:staged.txt") == "new"
    files = git(root, "ls-tree", "-r", "--name-only", run.rev or "").splitlines()
    assert {"dvc.lock", "data/metrics/train/run.json"} <= set(files)
    assert not {
        "untracked.txt",
        ".dvc/config.local",
        "data/models/train/weights.txt",
        "data/metrics/train/series.jsonl",
    } & set(files)
    assert f"Finetui-Run: {run.id}" in _trailers(root, run.rev or "")
    wait_for(lambda: not run.directory.exists())


def test_a_failed_run_keeps_its_metrics_and_its_log(root: Path) -> None:
    runner = DvcRunner(root)
    run = _ended(runner, runner.launch(RunRequest({"train.fail_at": 2})).id)
    assert (run.status, run.error) == ("failed", "train: step 2 went wrong")
    assert [part.status for part in run.progress] == ["done", "failed", "waiting"]
    rev = run.rev or ""
    assert _show(root, rev, "data/metrics/train/metrics.json") == {"eval/score": 2.02}
    assert len(git(root, "show", f"{rev}:data/metrics/train/series.jsonl").splitlines()) == 2
    assert "Finetui-Status: failed" in _trailers(root, rev)
    assert "train: step 2" in runner.read_log(run.id)[0]
    assert run.directory.is_dir()
    runner.remove(run.id)
    assert runner.runs() == []
    assert git(root, "rev-parse", rev) == rev


@pytest.mark.slow
def test_results_of_the_run_before_do_not_pass_for_those_of_a_failed_one(root: Path) -> None:
    runner = DvcRunner(root)
    first = _ended(runner, runner.launch(RunRequest()).id)
    git(root, "checkout", "-q", first.rev or "")
    run = _ended(runner, runner.launch(RunRequest({"train.fail_at": 1})).id)
    files = git(root, "ls-tree", "-r", "--name-only", run.rev or "").splitlines()
    assert "data/metrics/prepare/metrics.json" in files
    assert "data/metrics/evaluate/metrics.json" not in files
    assert [part.status for part in run.progress] == ["cached", "failed", "waiting"]


def test_a_stopped_run_is_cancelled_with_its_metrics_so_far(root: Path) -> None:
    runner = DvcRunner(root)
    run = runner.launch(RunRequest({"train.pause_s": 0.2, "train.steps": 500}))
    _running_stage(runner, run.id, "train")
    runner.stop(run.id)
    run = _ended(runner, run.id)
    assert (run.status, run.error) == ("cancelled", None)
    assert [part.status for part in run.progress] == ["done", "cancelled", "waiting"]
    assert "Finetui-Status: cancelled" in _trailers(root, run.rev or "")
    assert _show(root, run.rev or "", "data/metrics/train/run.json")["status"] == "cancelled"
    assert _show(root, run.rev or "", "data/metrics/train/metrics.json")["eval/score"] > 2


@pytest.mark.slow
def test_the_same_params_again_take_their_results_from_the_run_cache(root: Path) -> None:
    runner = DvcRunner(root)
    first = _ended(runner, runner.launch(RunRequest({"train.value": 5})).id)
    assert {stage.will_run for stage in runner.plan(RunRequest({"train.value": 5})).stages} == {False}
    again = _ended(runner, runner.launch(RunRequest({"train.value": 5})).id)
    assert (again.status, [part.status for part in again.progress]) == ("done", ["cached"] * 3)
    tree = git(root, "ls-tree", "-r", first.rev or "", "data/metrics", "dvc.lock", "params.yaml").splitlines()
    kept = git(root, "ls-tree", "-r", again.rev or "", "data/metrics", "dvc.lock", "params.yaml").splitlines()
    assert kept == [line for line in tree if not line.endswith("run.json")]


@pytest.mark.slow
def test_eight_runs_at_once_all_finish_with_their_own_params(root: Path) -> None:
    runner = DvcRunner(root)
    started = {runner.launch(RunRequest({"train.value": value})).id: value for value in range(10, 18)}
    for run_id, value in started.items():
        run = _ended(runner, run_id)
        assert (run.status, run.error) == ("done", None)
        assert _show(root, run.rev or "", "data/metrics/train/metrics.json")["eval/score"] == value + 0.03
    assert len(git(root, "for-each-ref", "refs/exps").splitlines()) == 8
    shown = json.loads(dvc(root, "exp", "show", "--json"))
    values = {
        revision["data"]["params"]["params.yaml"]["data"]["train"]["value"]
        for entry in shown
        for experiment in entry["experiments"] or ()
        for revision in experiment["revs"]
    }
    assert values == set(range(10, 18))
    git(root, "fsck", "--strict")


@pytest.mark.slow
def test_a_stage_that_ignores_signals_is_gone_after_a_stop(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "start_supervisor", _start_impatient_supervisor)
    runner = DvcRunner(root)
    run = runner.launch(RunRequest({"train.pause_s": 0.2, "train.steps": 500, "train.ignore_sigint": True}))
    _running_stage(runner, run.id, "train")
    assert len(processes.family(run.id)) >= 2
    runner.stop(run.id)
    assert _ended(runner, run.id).status == "cancelled"
    assert processes.family(run.id) == []


@pytest.mark.slow
def test_it_runs_without_a_git_identity(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    runner = DvcRunner(root)
    run = _ended(runner, runner.launch(RunRequest()).id)
    assert run.status == "done"
    assert git(root, "log", "-1", "--format=%an <%ae>", run.rev or "") == "finetui <finetui@localhost>"
    assert list(home.iterdir()) == []


@pytest.mark.slow
def test_a_project_in_a_subfolder_of_the_repository(tmp_path: Path) -> None:
    top = tmp_path / "top"
    project = make_project(top / "sub")
    (project / ".git").rename(top / ".git")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "Move the project down")
    runner = DvcRunner(project)
    run = _ended(runner, runner.launch(RunRequest({"train.value": 9})).id)
    assert run.status == "done"
    assert _show(top, run.rev or "", "sub/data/metrics/train/metrics.json")["eval/score"] == 9.03


@pytest.mark.slow
def test_data_that_dvc_keeps_is_there_for_the_stages(root: Path) -> None:
    git(root, "rm", "-q", "--cached", "data/raw/rows.txt")
    dvc(root, "add", "data/raw")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Keep the data in DVC")
    runner = DvcRunner(root)
    run = _ended(runner, runner.launch(RunRequest()).id)
    assert (run.status, run.error) == ("done", None)


def test_an_active_run_is_not_removed(root: Path) -> None:
    runner = DvcRunner(root)
    run = runner.launch(RunRequest({"prepare.pause_s": 0.2, "prepare.steps": 500}))
    with pytest.raises(UserError, match="still going on"):
        runner.remove(run.id)
    with pytest.raises(UserError, match="exists already"):
        runner.launch(RunRequest(name=run.name))
