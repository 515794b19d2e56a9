"""Kills at every moment: no finished experiment is lost or counted twice, and what happened is told truthfully."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from pipeline.contract.files import write_json
from tests.projects import end_runs, fingerprint, git, make_project, wait_for
from tui.core.errors import UserError
from tui.core.runs import Run, RunRequest
from tui.dvc import DvcRunner, clone, finish, launch, processes, reproduce, supervisor
from tui.dvc.environment import RUN_ID
from tui.dvc.git import GitError
from tui.dvc.git import git as real_git
from tui.dvc.project import runs_directory
from tui.dvc.record import RunFiles, RunStatus, exclusive, read_spec, read_status

_LONG = {"train.pause_s": 0.1, "train.steps": 30}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    project = make_project(tmp_path / "project")
    yield project
    end_runs(project)


class Killed(BaseException):
    """Stands for the end of the process: nothing handles it."""


class GitUntil:
    """git that works a number of times; then the process is gone."""

    def __init__(self, calls: int, error: type[BaseException] = Killed) -> None:
        self.left = calls
        self._error = error

    def __call__(self, *arguments: Any, **options: Any) -> str:
        self.left -= 1
        if self.left < 0:
            raise self._error("No space left on device")
        return real_git(*arguments, **options)


class NoProcess:
    """A supervisor that is never started."""

    def poll(self) -> int:
        return 0


def _launched_only(root: Path, monkeypatch: pytest.MonkeyPatch, name: str = "owl") -> RunFiles:
    """A run whose processes never started."""
    monkeypatch.setattr(launch, "start_supervisor", lambda _files: NoProcess())
    run = DvcRunner(root, adopt=False).launch(RunRequest({"train.value": 5}, name=name))
    return RunFiles(run.log.parent)


def _pretend_done(files: RunFiles) -> None:
    """What `dvc repro` leaves."""
    write_json(files.clone / "data/metrics/train/metrics.json", {"eval/score": 5.0})
    (files.clone / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    files.exit_code.write_text("0\n")


def _finish(files: RunFiles) -> RunStatus:
    spec = read_spec(files)
    assert spec is not None
    finish.finish(files, spec, read_status(files), witnessed=True)
    return read_status(files)


def _ended(runner: DvcRunner, run_id: str) -> Run:
    return wait_for(lambda: next((run for run in runner.runs() if run.id == run_id and run.rev), None))


def _in_stage(runner: DvcRunner, run_id: str, stage: str = "train") -> Run:
    return wait_for(
        lambda: next((run for run in runner.runs() for part in run.progress if part.stage == stage and part.step), None)
    )


def test_a_kill_at_any_git_command_of_the_end_loses_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = 0
    while True:
        files = _launched_only(root, monkeypatch, f"owl-{moments}")
        _pretend_done(files)
        cut = GitUntil(moments)
        monkeypatch.setattr(finish, "git", cut)
        try:
            _finish(files)
        except Killed:
            assert read_status(files).state != "done"
        monkeypatch.setattr(finish, "git", real_git)
        status = _finish(files)
        assert status.state == "done"
        refs = git(root, "for-each-ref", "--format=%(refname:lstrip=-1) %(objectname)", "refs/exps").splitlines()
        assert refs.count(f"owl-{moments} {status.rev}") == 1
        assert len(refs) == moments + 1
        assert git(root, "show", f"{status.rev}:data/metrics/train/metrics.json")
        if cut.left >= 0:
            break
        moments += 1
    assert moments >= 6


def test_a_kill_after_the_fetch_does_not_make_a_second_experiment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _launched_only(root, monkeypatch)
    _pretend_done(files)
    before = files.status.read_bytes() if files.status.exists() else None
    first = _finish_without_tidying(files, monkeypatch)
    files.status.unlink() if before is None else files.status.write_bytes(before)
    assert _finish(files).rev == first.rev
    assert len(git(root, "for-each-ref", "refs/exps").splitlines()) == 1
    assert not files.clone.exists()


def _finish_without_tidying(files: RunFiles, monkeypatch: pytest.MonkeyPatch) -> RunStatus:
    with monkeypatch.context() as patch:
        patch.setattr(finish.shutil, "rmtree", lambda *_, **__: None)
        return _finish(files)


def test_an_experiment_of_that_name_that_came_meanwhile_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _launched_only(root, monkeypatch)
    _pretend_done(files)
    baseline = git(root, "rev-parse", "HEAD")
    namespace = f"refs/exps/{baseline[:2]}/{baseline[2:]}"
    git(root, "update-ref", f"{namespace}/owl", baseline)
    status = _finish(files)
    assert (status.state, status.name) == ("done", "owl-2")
    assert git(root, "rev-parse", f"{namespace}/owl") == baseline
    assert git(root, "rev-parse", f"{namespace}/owl-2") == status.rev


def test_a_failure_at_any_git_command_of_the_launch_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "start_supervisor", lambda _files: NoProcess())
    before = fingerprint(root)
    moments = 0
    while True:
        cut = GitUntil(moments, GitError)
        monkeypatch.setattr(clone, "git", cut)
        try:
            DvcRunner(root, adopt=False).launch(RunRequest({"train.value": 5}))
        except UserError:
            assert [path.name for path in runs_directory(root).iterdir()] == [".lock"]
            moments += 1
        else:
            break
    assert moments >= 7
    assert fingerprint(root) == before


def test_what_killed_launches_and_removals_left_is_swept_away(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    draft = runs_directory(root) / f".20200101-000000-000000-abcdef.{gone.pid}"
    removed = runs_directory(root) / ".20200101-000000-000000-abcdef.removed"
    for leftover in (draft, removed):
        leftover.mkdir(parents=True)
    files = _launched_only(root, monkeypatch)
    assert not draft.exists()
    assert not removed.exists()
    assert files.directory.exists()


def _supervise(files: RunFiles) -> RunStatus:
    spec = read_spec(files)
    assert spec is not None
    supervisor.Supervisor(files, spec).run()
    return read_status(files)


def test_an_experiment_that_cannot_be_saved_is_saved_later(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _launched_only(root, monkeypatch)
    _pretend_done(files)
    with monkeypatch.context() as patch:
        patch.setattr(finish, "git", GitUntil(2, GitError))
        _supervise(files)
    run = DvcRunner(root, adopt=False).runs()[0]
    assert (run.status, run.rev) == ("failed", None)
    assert "No space left" in (run.error or "")
    assert "No space left" in files.log.read_text()
    assert _supervise(files).state == "done"
    run = DvcRunner(root, adopt=False).runs()[0]
    assert (run.status, run.error) == ("done", None)
    assert git(root, "rev-parse", "--verify", f"{run.rev}^{{commit}}") == run.rev


def test_a_run_that_is_stopped_before_it_starts_is_cancelled(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _launched_only(root, monkeypatch)
    files.stop.touch()
    status = _supervise(files)
    assert (status.state, status.process) == ("cancelled", None)
    assert "Finetui-Status: cancelled" in git(root, "log", "-1", "--format=%B", status.rev or "")


def test_a_pipeline_that_a_stage_broke_does_not_keep_the_run_from_ending(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _launched_only(root, monkeypatch)
    _pretend_done(files)
    (files.clone / "dvc.yaml").write_text("stages: [")
    assert _supervise(files).state == "done"


@pytest.mark.parametrize(("file", "text"), [("dvc.lock", "stages: ["), ("dvc.yaml", "stages: {}\nmetrics: 5\n")])
def test_files_that_a_stage_broke_do_not_keep_the_run_from_ending(
    root: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str
) -> None:
    files = _launched_only(root, monkeypatch)
    _pretend_done(files)
    (files.clone / file).write_text(text)
    status = _supervise(files)
    assert (status.state, status.trouble) == ("done", None)


def test_locks_that_a_killed_git_left_do_not_keep_the_run_from_ending(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _launched_only(root, monkeypatch)
    _pretend_done(files)
    for name in ("index.lock", "refs/finetui/experiment.lock"):
        lock = files.clone / ".git" / name
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    status = _supervise(files)
    assert (status.state, status.trouble) == ("done", None)
    assert [path.name for path in files.directory.glob("index*")] == []


def test_a_status_that_a_full_disk_refused_is_written_later(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _launched_only(root, monkeypatch)
    spec = read_spec(files)
    assert spec is not None
    watcher = supervisor.Supervisor(files, spec)
    with monkeypatch.context() as patch:
        patch.setattr(RunStatus, "write", lambda *_: _no_space())
        watcher._save("running")
    assert read_status(files).state == "starting"
    watcher._beat()
    assert read_status(files).state == "running"


def _no_space() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("code", "calls"), [(252, ["checkout"]), (255, ["checkout", "repro"]), (0, ["checkout", "repro"])]
)
def test_an_interrupted_checkout_is_the_end_of_a_run(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int, calls: list[str]
) -> None:
    files = _launched_only(root, monkeypatch)
    seen = []

    def dvc(arguments: list[str]) -> int:
        seen.append(arguments[0])
        return code if arguments[0] == "checkout" else 0

    monkeypatch.setattr(reproduce, "import_module", lambda _name: SimpleNamespace(main=dvc))
    monkeypatch.setattr(reproduce, "leave_others_entries_alone", lambda: None)
    monkeypatch.setattr(reproduce.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["reproduce", str(files.directory)])
    monkeypatch.chdir(root)
    assert reproduce.main() == (code if code == 252 else 0)
    assert seen == calls
    assert files.exit_code.read_text() == f"{252 if code == 252 else 0}\n"


def test_what_nobody_expected_at_the_end_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = _launched_only(root, monkeypatch)
    _pretend_done(files)
    with monkeypatch.context() as patch:
        patch.setattr(finish, "git", GitUntil(2, RuntimeError))
        _supervise(files)
    run = DvcRunner(root, adopt=False).runs()[0]
    assert (run.status, run.rev) == ("failed", None)
    assert "RuntimeError: No space left" in (run.error or "")
    assert "Traceback" in capsys.readouterr().err
    assert _supervise(files).state == "done"


def test_processes_without_a_record_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    environment = os.environ | {RUN_ID: "test-leader"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True)
    wait_for(lambda: len(processes.family("test-leader")) == 2)
    assert processes.leader("test-leader") == processes.identify(process.pid)
    assert processes.leader("test-nobody") is None
    monkeypatch.setattr(supervisor, "GRACE_S", 5.0)
    supervisor.end_processes("test-leader", (signal.SIGTERM,), lambda: process.poll())
    assert process.wait(5) == -signal.SIGTERM
    assert processes.family("test-leader") == []


def test_a_process_that_ends_while_a_leader_is_looked_for_is_no_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    members = [psutil.Process(gone.pid), psutil.Process()]
    gone.communicate()
    monkeypatch.setattr(processes, "family", lambda _run_id: members)
    known = processes.identify(os.getpid()) if os.getpgid(0) == os.getpid() else None
    assert processes.leader("test-gone") == known


def test_only_one_supervisor_looks_after_a_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _launched_only(root, monkeypatch)
    with exclusive(files.lock, wait=False) as held:
        assert held
        subprocess.run(
            [sys.executable, "-m", "tui.dvc.supervisor", str(files.directory)],
            cwd=Path(launch.__file__).parents[2],
            check=True,
            timeout=30,
        )
    assert read_status(files) == RunStatus()
    assert not files.log.exists()


def test_what_ignores_signals_is_killed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GRACE_S", 0.2)
    ignore = "import signal, time; [signal.signal(number, signal.SIG_IGN) for number in (2, 15)]"
    code = f"{ignore}; print(flush=True); time.sleep(60)"
    stubborn = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=os.environ | {RUN_ID: "test-stubborn"},
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        for _ in range(2)
    ]
    for process in stubborn:
        assert process.stdout is not None
        process.stdout.readline()
    start = time.monotonic()
    supervisor.end_processes("test-stubborn", (signal.SIGINT, signal.SIGTERM, signal.SIGKILL), lambda: None)
    assert [process.wait(5) for process in stubborn] == [-signal.SIGKILL] * 2
    assert time.monotonic() - start > 0.4


def test_a_pid_that_was_given_to_another_process_is_not_alive() -> None:
    known = processes.identify(os.getpid())
    assert known is not None
    assert processes.is_alive(known)
    assert not processes.is_alive([known[0], known[1] - 3600])
    assert not processes.is_alive(None)


@pytest.mark.slow
def test_a_killed_supervisor_is_replaced_and_the_run_goes_on(root: Path) -> None:
    runner = DvcRunner(root)
    run = runner.launch(RunRequest(_LONG))
    pid = wait_for(lambda: _in_stage(runner, run.id).pid)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not processes.is_alive(processes.identify(pid)))
    seen = DvcRunner(root).runs()[0]
    assert seen.status == "running"
    assert seen.pid != pid
    run = _ended(runner, run.id)
    assert (run.status, run.error) == ("done", None)
    assert [part.step for part in run.progress] == [3, 30, 3]


def test_without_adoption_an_orphan_is_running_and_a_dead_one_is_lost(root: Path) -> None:
    runner = DvcRunner(root, adopt=False)
    run = runner.launch(RunRequest(_LONG))
    pid = wait_for(lambda: _in_stage(runner, run.id).pid)
    os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: next((seen for seen in runner.runs() if seen.pid is None), None)).status == "running"
    processes.send(run.id, signal.SIGKILL)
    assert wait_for(lambda: runner.runs()[0].status == "lost")


@pytest.mark.slow
def test_when_everything_is_killed_the_run_is_lost_with_its_metrics_so_far(root: Path) -> None:
    runner = DvcRunner(root)
    run = runner.launch(RunRequest(_LONG))
    pid = wait_for(lambda: _in_stage(runner, run.id).pid)
    os.kill(pid, signal.SIGKILL)
    processes.send(run.id, signal.SIGKILL)
    run = _ended(runner, run.id)
    assert run.status == "lost"
    assert run.error
    assert "processes" in run.error
    metrics = json.loads(git(root, "show", f"{run.rev}:data/metrics/train/metrics.json"))
    assert metrics["eval/score"] > 2
    assert [part.status for part in run.progress] == ["done", "failed", "waiting"]


@pytest.mark.slow
def test_a_killed_dvc_is_a_failure_and_leaves_no_stage_behind(root: Path) -> None:
    runner = DvcRunner(root)
    run = runner.launch(RunRequest(_LONG))
    _in_stage(runner, run.id)
    os.kill(int((read_status(RunFiles(run.log.parent)).process or [0])[0]), signal.SIGKILL)
    run = _ended(runner, run.id)
    assert run.status == "failed"
    assert run.error is not None
    assert processes.family(run.id) == []


@pytest.mark.slow
def test_a_killed_stage_is_a_failure(root: Path) -> None:
    runner = DvcRunner(root)
    run = runner.launch(RunRequest(_LONG))
    directory = _in_stage(runner, run.id).directory
    stage = json.loads((directory / "data/metrics/train/run.json").read_text())["pid"]
    psutil.Process(stage).kill()
    run = _ended(runner, run.id)
    assert run.status == "failed"
    assert "train" in (run.error or "")
    assert [part.status for part in run.progress] == ["done", "failed", "waiting"]


@pytest.mark.slow
def test_a_run_leaves_alone_what_another_one_is_about_to_write_into_the_run_cache(root: Path) -> None:
    runner = DvcRunner(root)
    _ended(runner, runner.launch(RunRequest({"train.value": 5}, name="owl")).id)
    keys = [path for path in (root / ".dvc/cache/runs").glob("*/*") if path.is_dir()]
    unfinished = [key / ".o3ZBzZ.tmp" for key in keys]
    for path in unfinished:
        path.write_text("cmd: python stage.py\ndeps: [")
    again = runner.launch(RunRequest({"train.value": 5}, name="elk"))
    assert _ended(runner, again.id).status == "done"
    assert again.log.read_text().count("is cached - skipping run") == len(keys) == 3
    assert all(path.exists() for path in unfinished)


@pytest.mark.slow
def test_supervisors_killed_at_any_time_lose_no_experiment(root: Path) -> None:
    delays_s = (0.0, 0.1, 0.3, 0.8, 1.5, 2.1, 3.0, 4.5)
    runner = DvcRunner(root)
    runs = [runner.launch(RunRequest({"train.value": 10 + number})) for number in range(len(delays_s))]
    children = dict(runner._supervisors)
    start = time.monotonic()
    for run, delay_s in zip(runs, delays_s, strict=True):
        time.sleep(max(0.0, start + delay_s - time.monotonic()))
        children[run.id].kill()
    for number, run in enumerate(runs):
        ended = _ended(DvcRunner(root), run.id)
        assert (ended.status, ended.error) == ("done", None)
        score = json.loads(git(root, "show", f"{ended.rev}:data/metrics/train/metrics.json"))
        assert score == {"eval/score": 10.03 + number}
    assert len(git(root, "for-each-ref", "refs/exps").splitlines()) == len(delays_s)
