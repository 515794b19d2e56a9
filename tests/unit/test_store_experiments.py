"""Rows of a project: workspace, commits, experiments, runs."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.unit.store_repos import RepoBuilder, add_experiment, finetui_project, finetui_results, make_run
from tui.core.errors import UsageError
from tui.core.experiments import Experiment
from tui.core.runs import StageProgress
from tui.store import GitStore, find_project

PIPELINE = """\
stages:
  train:
    cmd: python train.py
    params:
    - lr
    metrics:
    - metrics.json:
        cache: false
"""
FIRST = {"dvc.yaml": PIPELINE, "params.yaml": "lr: 1e-5\n", "metrics.json": {"loss": 1.0}}


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    return RepoBuilder(tmp_path / "repo")


def rows(builder: RepoBuilder, *runs: Any) -> list[Experiment]:
    return GitStore(builder.root).experiments(runs)


def labels(found: list[Experiment]) -> list[str]:
    return [row.label for row in found]


def test_every_commit_is_followed_by_its_experiments(builder: RepoBuilder) -> None:
    one = builder.commit(FIRST, "one")
    builder.experiment("early", one, {"metrics.json": {"loss": 0.5}})
    two = builder.commit({"params.yaml": "lr: 0.1\n"}, "two\n\nbody")
    builder.experiment("ant", two, {})
    builder.experiment("bee", two, {"params.yaml": "lr: 0.2\n"})
    builder.checkout()
    found = rows(builder)
    assert labels(found) == ["workspace", "main", "bee", "ant", one[:7], "early"]
    assert [row.kind for row in found[:3]] == ["workspace", "commit", "experiment"]
    assert found[1].refs == ("main",)
    assert found[1].subject == "two"
    assert found[2].baseline == two
    assert found[2].params == {"params.yaml": {"lr": 0.2}}
    assert found[3].metrics == {"metrics.json": {"loss": 1.0}}
    assert found[5].metrics == {"metrics.json": {"loss": 0.5}}
    assert found[4].params["params.yaml"]["lr"] == 1e-5
    assert found[1].timestamp is not None
    assert found[1].timestamp.utcoffset() is not None


def test_only_the_last_commits_of_the_branch_are_shown_and_all_that_something_points_at(builder: RepoBuilder) -> None:
    revs = [builder.commit(FIRST if number == 0 else {"n": str(number)}, f"c{number}") for number in range(8)]
    builder.repository.create_reference("refs/tags/v1", revs[1])
    builder.experiment("old", revs[2], {})
    builder.checkout()
    found = GitStore(builder.root, num_commits=3).experiments()
    assert [row.rev for row in found if row.kind == "commit"] == [revs[7], revs[6], revs[5], revs[2], revs[1]]
    assert found[-1].refs == ("v1",)


def test_refs_that_are_not_experiments_are_left_out(builder: RepoBuilder) -> None:
    rev = builder.commit(FIRST)
    for name in ("stash", "celery/stash", "exec/EXEC_HEAD", "apply/ORIG_HEAD", "temp/head-1", "temp/a/b"):
        builder.repository.create_reference(f"refs/exps/{name}", rev)
    assert labels(rows(builder)) == ["workspace", "main"]


def test_a_repository_without_commits_has_only_the_workspace(builder: RepoBuilder) -> None:
    builder.write({"params.yaml": "a: 1\n"})
    (row,) = rows(builder)
    assert row.params == {"params.yaml": {"a": 1}}
    assert row.baseline is None


def test_a_detached_head_is_shown(builder: RepoBuilder) -> None:
    one = builder.commit(FIRST, "one")
    builder.commit({"n": "2"}, "two")
    builder.repository.set_head(builder.repository[one].id)
    builder.checkout()
    assert [row.rev for row in rows(builder) if row.kind == "commit"][1:] == [one]


def test_a_project_in_a_sub_folder_has_paths_of_its_own(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "repo", prefix="deep/project")
    rev = builder.commit(FIRST)
    builder.experiment("ant", rev, {"metrics.json": {"loss": 0.5}})
    builder.checkout()
    (builder.root / "src").mkdir()
    store = GitStore(find_project(builder.root / "src"))
    assert store.root == builder.root.resolve()
    assert [row.metrics for row in store.experiments()] == [
        {"metrics.json": {"loss": 1.0}},
        {"metrics.json": {"loss": 1.0}},
        {"metrics.json": {"loss": 0.5}},
    ]
    ant = store.resolve("ant")
    assert [change.path for change in store.changed_files(store.resolve("HEAD"), ant)] == ["metrics.json"]


def test_what_is_no_project_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not a Git repository: .*; finetui init"):
        find_project(tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with pytest.raises(UsageError, match=r"not a DVC project: .*; finetui init"):
        find_project(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        find_project(tmp_path / "nowhere")
    (tmp_path / ".dvc").mkdir()
    assert find_project(tmp_path) == tmp_path.resolve()


def test_the_workspace_is_what_is_on_disk(builder: RepoBuilder) -> None:
    builder.commit(FIRST)
    builder.checkout()
    store = GitStore(builder.root)
    assert store.experiments()[0].metrics == {"metrics.json": {"loss": 1.0}}
    builder.write({"metrics.json": {"loss": 0.25}, "params.yaml": "lr: 3\n"})
    row = store.experiments()[0]
    assert (row.metrics, row.params) == ({"metrics.json": {"loss": 0.25}}, {"params.yaml": {"lr": 3}})
    (builder.root / "metrics.json").unlink()
    assert store.experiments()[0].missing == ("metrics.json",)


def test_a_new_experiment_shows_up_and_a_removed_one_goes(builder: RepoBuilder) -> None:
    rev = builder.commit(FIRST)
    store = GitStore(builder.root)
    assert len(store.experiments()) == 2
    for name in ("ant", "bee"):
        builder.experiment(name, rev, {})
        assert name in labels(store.experiments())
    builder.repository.references.delete(f"refs/exps/{rev[:2]}/{rev[2:]}/ant")
    assert labels(store.experiments()) == ["workspace", "main", "bee"]


def test_how_an_experiment_ended_is_in_its_commit(builder: RepoBuilder) -> None:
    builder = finetui_project(builder.root.parent / "p")
    baseline, project = str(builder.repository.head.target), GitStore(builder.root)
    failed = {"stage": "train", "status": "failed", "error": "loss is NaN at step 40"}
    changes = {"data/metrics/train/run.json": failed, "data/metrics/train/metrics.json": None}
    builder.experiment("elk", baseline, changes, "text\n\nFinetui-Status: failed\nFinetui-Run: r7\n")
    row = project.resolve("elk")
    assert (row.status, row.run_id, row.error) == ("failed", "r7", "train: loss is NaN at step 40")
    builder.experiment(
        "fox", baseline, {}, "text\n\nFinetui-Status: failed\nFinetui-Run: r8\nFinetui-Error: no space left\n"
    )
    assert project.resolve("fox").error == "no space left"
    # the commit still has what the baseline scored, which is not this experiment's
    assert not any("evaluate" in path for path in row.metrics)
    assert [series.stage for series in project.series(row)] == ["train", "train"]


def test_a_run_without_a_commit_is_read_from_its_clone(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p")
    baseline = str(builder.repository.head.target)
    stages = ("base", "prepare", "train", "evaluate", "deploy")
    states = ("cached", "done", "running", "waiting", "waiting")
    progress = tuple(
        StageProgress(stage, state, 30, 100) for stage, state in zip(stages, states, strict=True)  # type: ignore[arg-type]
    )  # fmt: skip
    run = make_run(builder, baseline, progress=progress)
    store = GitStore(builder.root)
    builder.write({"params.yaml": "train:\n  seed: 77\n", **finetui_results(5)}, run.directory)
    builder.write({"dvc.yaml": (builder.root / "dvc.yaml").read_text()}, run.directory)
    builder.write({"data/metrics/base/metrics.json": {"train/loss": 9}}, run.directory)
    live = store.experiments([run])[2]
    assert (live.name, live.status, live.stage, live.fraction) == ("live-one", "running", "train", 0.3)
    assert (live.rev, live.baseline, live.run_id) == (baseline, baseline, "r1")
    assert live.params["params.yaml"]["train"]["seed"] == 77
    # the clone still holds the baseline's results of stages that have not run
    assert live.metrics == {"data/metrics/base/metrics.json": {"train/loss": 9}}
    assert store.resolve("live-one", [run]).run_id == "r1"
    assert store.series(live) == []
    (run.directory / "data/metrics/train/series.jsonl").write_text('{"step":5,"time_s":1,"train/loss":2.5}\n')
    assert [(series.name, list(series.values)) for series in store.series(live)] == [("train/loss", [2.5])]


def test_a_queued_run_has_the_params_of_its_snapshot(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p")
    baseline = str(builder.repository.head.target)
    live = GitStore(builder.root).experiments([make_run(builder, baseline, status="queued")])[2]
    assert live.status == "queued"
    assert live.params["params.yaml"]["train"]["seed"] == 0
    assert live.metrics == {}


def test_a_run_that_has_its_commit_is_one_row(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p")
    baseline = str(builder.repository.head.target)
    rev = add_experiment(builder, baseline, 1)
    run = make_run(builder, baseline, id="run-1", name="exp-0001", status="failed", error="killed", rev=rev)
    (row,) = rows(builder, run)[2:]
    assert (row.rev, row.run_id, row.error) == (rev, "run-1", "killed")
    (resumed,) = rows(builder, make_run(builder, baseline, id="run-1", name="exp-0001", status="running"))[2:]
    assert (resumed.status, resumed.run_id) == ("running", "run-1")
    again = make_run(builder, baseline, id="run-1", name="exp-0001", status="running")
    assert GitStore(builder.root).resolve("exp-0001", [again]).status == "running"


def test_a_run_on_a_commit_that_is_not_shown_brings_it(builder: RepoBuilder) -> None:
    one = builder.commit(FIRST, "one")
    builder.commit({"n": "2"}, "two")
    found = GitStore(builder.root, num_commits=1).experiments([make_run(builder, one)])
    assert labels(found) == ["workspace", "main", one[:7], "live-one"]


@pytest.fixture
def process() -> Any:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield psutil.Process(child.pid)
    child.kill()
    child.wait()


def record(stage: str, **values: Any) -> dict[str, str]:
    text = json.dumps({"stage": stage, "status": "running", "started_at": "2024-01-02", **values})
    return {f"data/metrics/{stage}/run.json": text}


def test_a_repro_typed_by_hand_shows_up(builder: RepoBuilder, process: psutil.Process) -> None:
    builder.commit(FIRST)
    builder.checkout()
    alive = {"pid": process.pid, "process_started": process.create_time(), "num_steps": 200}
    builder.write(record("train", **alive))
    builder.write({"data/metrics/train/series.jsonl": '{"step":40}\n{"step":50,"time_s":1}\n{"step":1'})
    row = rows(builder)[0]
    assert (row.status, row.stage, row.fraction) == ("running", "train", 0.25)


def test_a_process_that_is_gone_or_another_is_no_running_workspace(
    builder: RepoBuilder, process: psutil.Process
) -> None:
    builder.commit(FIRST)
    builder.write(record("train", pid=process.pid, process_started=process.create_time() - 1000))
    assert rows(builder)[0].status == "lost"
    builder.write(record("train", pid="no number", process_started=None))
    assert rows(builder)[0].status == "lost"
    builder.write(record("train", status="failed", error="out of memory", pid=os.getpid()))
    row = rows(builder)[0]
    assert (row.status, row.error) == ("failed", "train: out of memory")


def test_the_last_stage_that_was_started_counts(builder: RepoBuilder) -> None:
    builder.commit(FIRST)
    builder.write(record("train", status="failed", error="boom", started_at="2024-01-01T00:00:00"))
    builder.write(record("evaluate", status="done", started_at="2024-01-01T00:00:09"))
    assert rows(builder)[0].status == "done"


def test_a_commit_whose_stages_have_left_nothing_was_not_run(builder: RepoBuilder) -> None:
    builder.commit({"dvc.yaml": PIPELINE, "params.yaml": "lr: 1\n"})
    builder.checkout()
    assert [row.status for row in rows(builder)] == ["not run", "not run"]
    baseline = builder.commit({"metrics.json": {"loss": 1.0}})
    builder.experiment("ant", baseline, {"metrics.json": None})
    builder.checkout()
    assert [row.status for row in rows(builder)] == ["done", "done", "done", "not run"]


class TestDvcTasks:
    """Experiments that DVC itself has queued or runs."""

    @pytest.fixture
    def stash(self, builder: RepoBuilder) -> str:
        baseline = builder.commit(FIRST)
        return builder.experiment("stash", baseline, {"params.yaml": "lr: 7\n"})

    @pytest.fixture
    def exps(self, builder: RepoBuilder, stash: str) -> Path:
        baseline = self.baseline(builder)
        builder.repository.references.delete(f"refs/exps/{baseline[:2]}/{baseline[2:]}/stash")
        return builder.root / ".dvc/tmp/exps"

    def baseline(self, builder: RepoBuilder) -> str:
        return str(builder.repository.head.target)

    def queue(self, exps: Path, folder: str, name: str, stash: str, baseline: str) -> None:
        entry = {"name": name, "stash_rev": stash, "baseline_rev": baseline}
        body = base64.b64encode(json.dumps([[entry], {}, {}]).encode()).decode()
        headers = {"task": "dvc.repo.experiments.queue.tasks.run_exp", "id": f"task-{name}"}
        place = exps / "celery/broker" / folder / f"1_{name}.celery.msg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps({"body": body, "headers": headers}))

    def write(self, path: Path, **value: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))

    def test_queued(self, builder: RepoBuilder, exps: Path, stash: str) -> None:
        self.queue(exps, "in", "later", stash, self.baseline(builder))
        (exps / "celery/broker/in/2_torn.celery.msg").write_text('{"body": "W1')
        row = rows(builder)[2]
        assert (row.name, row.status, row.params) == ("later", "queued", {"params.yaml": {"lr": 7}})
        assert row.metrics == {}
        assert GitStore(builder.root).resolve("later").rev == stash

    def test_what_was_never_started_has_no_curves_and_no_file_of_dvc_itself(self, builder: RepoBuilder) -> None:
        pipeline = PIPELINE + "    plots:\n    - loss.csv:\n        x: step\n        y: loss\n        cache: false\n"
        files = {"dvc.yaml": pipeline, "loss.csv": "step,loss\n1,3\n2,2\n"}
        baseline = builder.commit({**FIRST, **files})
        stash = builder.experiment("stash", baseline, {"params.yaml": "lr: 7\n", ".dvc/tmp/repro.dat": "q"})
        builder.repository.references.delete(f"refs/exps/{baseline[:2]}/{baseline[2:]}/stash")
        self.queue(builder.root / ".dvc/tmp/exps", "in", "later", stash, baseline)
        store = GitStore(builder.root)
        _, before, queued = store.experiments()
        assert queued.name == "later"
        assert [len(store.series(row)) for row in (before, queued)] == [1, 0]
        assert [len(found) for found in store.summaries([before, queued])] == [1, 0]
        assert store.curves([queued], "loss.csv", "loss", 10) == [None]
        assert [change.path for change in store.changed_files(before, queued)] == ["params.yaml"]

    def test_a_task_whose_process_is_gone_is_lost(self, builder: RepoBuilder, exps: Path, stash: str) -> None:
        self.queue(exps, "processed", "x", stash, self.baseline(builder))
        assert rows(builder)[2].status == "running"
        # this process lives, but it is not DVC
        self.write(exps / f"run/{stash}/{stash}.json", pid=os.getpid(), returncode=None)
        assert rows(builder)[2].status == "lost"

    def test_failed_and_collected(self, builder: RepoBuilder, exps: Path, stash: str) -> None:
        self.queue(exps, "processed", "x", stash, self.baseline(builder))
        self.write(exps / "celery/result/celery-task-meta-task-x", status="SUCCESS")
        assert rows(builder)[2].status == "failed"
        self.write(exps / f"run/{stash}/{stash}.run", result_hash="abc")
        assert labels(rows(builder)) == ["workspace", "main"]

    def test_a_temporary_run_is_read_from_its_folder(self, builder: RepoBuilder, exps: Path, stash: str) -> None:
        root = exps / "standalone/tmp1"
        info = {"name": "t", "baseline_rev": self.baseline(builder), "root_dir": str(root), "result_hash": None}
        self.write(exps / f"standalone/run/{stash}/{stash}.run", **info)
        assert labels(rows(builder)) == ["workspace", "main"]
        builder.write({**FIRST, "params.yaml": "lr: 8\n"}, root)
        row = rows(builder)[2]
        assert (row.name, row.status, row.params) == ("t", "lost", {"params.yaml": {"lr": 8}})
        assert row.metrics == {}
        builder.write({"metrics.json": {"loss": 0.5}}, root)
        assert rows(builder)[2].metrics == {"metrics.json": {"loss": 0.5}}
