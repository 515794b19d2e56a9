"""Runs of another commit than HEAD: what they see, whose experiments they become, and which results are out of date."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects import commit, dvc, end_runs, fingerprint, git, make_project, wait_for
from tui.core.errors import UsageError
from tui.core.runs import Run, RunRequest
from tui.dvc import DvcRunner

METRICS = "data/metrics/train/metrics.json"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Two commits whose params differ, and a workspace that differs from both."""
    project = make_project(tmp_path / "project", ("train",))
    git(project, "tag", "old")
    _set_value(project, 7)
    commit(project, "Another value")
    _set_value(project, 8)
    yield project
    end_runs(project)


def _set_value(root: Path, value: int) -> None:
    params = root / "params.yaml"
    lines = params.read_text().splitlines()
    params.write_text("".join(f"  value: {value}\n" if "value:" in line else f"{line}\n" for line in lines))


def _ended(runner: DvcRunner, run_id: str) -> Run:
    return wait_for(lambda: next((run for run in runner.runs() if run.id == run_id and not run.is_active), None))


def test_a_commit_is_run_as_it_is_and_the_experiment_is_its_own(root: Path) -> None:
    before, old = fingerprint(root), git(root, "rev-parse", "old")
    runner = DvcRunner(root)
    run = runner.launch(RunRequest(rev="old", name="again"))
    assert run.snapshot != old
    assert git(run.directory, "rev-parse", f"{run.snapshot}^{{tree}}") == git(root, "rev-parse", "old^{tree}")
    run = _ended(runner, run.id)
    assert (run.status, run.error, run.baseline) == ("done", None, old)
    assert git(root, "rev-parse", f"refs/exps/{old[:2]}/{old[2:]}/again") == run.rev
    assert git(root, "rev-parse", f"{run.rev}^@") == old
    assert json.loads(git(root, "show", f"{run.rev}:{METRICS}")) == {"eval/score": 1.03}
    assert fingerprint(root) == before


@pytest.mark.slow
def test_overrides_are_written_into_the_params_of_that_commit(root: Path) -> None:
    runner = DvcRunner(root)
    run = _ended(runner, runner.launch(RunRequest({"train.steps": 2}, rev="old")).id)
    assert json.loads(git(root, "show", f"{run.rev}:{METRICS}")) == {"eval/score": 1.02}
    assert "# what it is about" in git(root, "show", f"{run.rev}:params.yaml")


def test_the_plan_is_that_of_the_commit(root: Path) -> None:
    dvc(root, "repro", "--quiet")
    commit(root, "Run it")
    runner = DvcRunner(root)
    here, there = runner.plan(RunRequest(rev="HEAD")), runner.plan(RunRequest(rev="old"))
    assert [stage.will_run for stage in here.stages] == [False]
    assert [(stage.will_run, stage.reason) for stage in there.stages] == [(True, "new")]
    assert runner.plan(RunRequest({"train.nothing": 1}, rev="old")).problems
    assert runner.plan(RunRequest(rev="0" * 40)).problems
    assert [path.name for path in (root / ".dvc/tmp/finetui/runs").iterdir()] == []
    with pytest.raises(UsageError, match="no such commit"):
        runner.launch(RunRequest(rev="nothing"))


def test_results_are_out_of_date_once_code_or_params_are_others(root: Path) -> None:
    dvc(root, "repro", "--quiet")
    commit(root, "Run it")
    (root / "README.md").write_text("text\n")
    commit(root, "Write a text")
    (root / "stage.py").write_text((root / "stage.py").read_text() + "# more\n")
    commit(root, "Change the code")
    _set_value(root, 9)
    commit(root, "Change a param")
    runner = DvcRunner(root)
    found = [runner.outdated(rev, [METRICS]) for rev in ("HEAD~3", "HEAD~2", "HEAD~1", "HEAD")]
    reasons = [[(stage.stage, stage.reason) for stage in stages] for stages in found]
    assert reasons == [[], [], [("train", "code")], [("train", "params")]]
    assert runner.outdated("HEAD", ["other.json"]) == ()


def test_an_output_that_left_the_cache_makes_no_result_out_of_date(root: Path) -> None:
    dvc(root, "repro", "--quiet")
    commit(root, "Run it")
    for path in (root / ".dvc/cache/files").rglob("*.dir"):
        path.unlink()
    runner = DvcRunner(root)
    assert runner.outdated("HEAD", [METRICS]) == ()
    assert [stage.will_run for stage in runner.plan(RunRequest(rev="HEAD")).stages] == [True]


def test_results_of_a_stage_are_out_of_date_when_those_before_it_are(tmp_path: Path) -> None:
    root = make_project(tmp_path / "two", ("prepare", "train"))
    dvc(root, "repro", "--quiet")
    commit(root, "Run it")
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("value: 1 ", "value: 5 "))
    commit(root, "Change a param of the first stage")
    found = DvcRunner(root).outdated("HEAD", [METRICS])
    assert [(stage.stage, stage.reason) for stage in found] == [("prepare", "params"), ("train", "upstream")]
    params.write_text(params.read_text().replace("value: 5 ", "value: 1 ").replace("value: 2 ", "value: 6 "))
    commit(root, "Change a param of the second stage")
    runner = DvcRunner(root)
    assert [stage.stage for stage in runner.outdated("HEAD", [METRICS])] == ["train"]
    assert runner.outdated("HEAD", ["data/metrics/prepare/metrics.json"]) == ()


@pytest.mark.slow
def test_a_commit_of_a_project_in_a_subfolder_with_data_in_dvc(tmp_path: Path) -> None:
    top = tmp_path / "top"
    project = make_project(top / "sub", ("train",))
    (project / ".git").rename(top / ".git")
    git(top, "rm", "-q", "-r", "--cached", "data/raw")
    git(top, "add", "-A")
    git(top, "rm", "-q", "--cached", "sub/data/raw/rows.txt")
    dvc(project, "add", "--quiet", "data/raw")
    old = commit(top, "Move the project down, its data into DVC")
    _set_value(project, 7)
    commit(top, "Another value")
    runner = DvcRunner(project)
    try:
        assert runner.plan(RunRequest(rev=old)).problems == ()
        run = _ended(runner, runner.launch(RunRequest(rev=old)).id)
    finally:
        end_runs(project)
    assert (run.status, run.error, run.baseline) == ("done", None, old)
    assert json.loads(git(top, "show", f"{run.rev}:sub/{METRICS}")) == {"eval/score": 1.03}
    assert runner.outdated(str(run.rev), [METRICS]) == ()
