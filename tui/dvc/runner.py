"""The runner: starts runs, finds them again, stops them, forgets them."""

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tui.core.errors import UsageError, UserError
from tui.core.experiments import Status
from tui.core.runs import LaunchPlan, Run, RunRequest, StagePlan
from tui.dvc import processes
from tui.dvc.git import COMMANDS, record_command
from tui.dvc.logtext import read_text
from tui.dvc.progress import read_progress
from tui.dvc.project import require_dvc, runs_directory
from tui.dvc.record import ENDED, RunFiles, RunSpec, RunStatus, exclusive, read_spec, read_status

_RETRY_S = 10.0


class DvcRunner:
    """Runs of one project; see tui.core.ports.Runner."""

    def __init__(self, root: Path, adopt: bool = True) -> None:
        """With `adopt`, a run whose supervisor was killed gets a new one as soon as it is seen."""
        self._root = root.resolve()
        self._adopt = adopt
        self._supervisors: dict[str, subprocess.Popen[bytes]] = {}
        self._tried: dict[str, float] = {}
        self._ended: dict[str, tuple[int, Run]] = {}
        require_dvc(self._root)

    def plan(self, request: RunRequest) -> LaunchPlan:
        """What a launch would run, and why, and what speaks against it; changes nothing."""
        from tui.dvc.planning import make_plan  # what checks params takes longer to load than all runs to read

        return make_plan(self._root, request, self._active_names())

    def outdated(self, rev: str, results: Sequence[str]) -> Sequence[StagePlan]:
        """Stages of a commit that some of its result files come from, and whose recorded results belong to other
        params, code or data than the commit has."""
        from tui.dvc.planning import find_outdated

        return find_outdated(self._root, rev, results)

    def launch(self, request: RunRequest) -> Run:
        """Start a run in a clone and return at once; UserError when it cannot start."""
        from tui.dvc.launch import launch, naming

        with naming(self._root):
            files, supervisor = launch(self._root, request, self._active_names())
        self._supervisors[files.directory.name] = supervisor
        spec = read_spec(files)
        if spec is None:
            raise UserError("the run was removed while it started", str(files.directory))
        record_command(["dvc", *spec.arguments()])
        return self._describe(files, spec)

    def runs(self) -> list[Run]:
        """All runs whose record exists, newest first, with their true state."""
        self._reap()
        found = []
        for files in self._directories():
            spec = read_spec(files)
            if spec is not None:
                found.append(self._describe(files, spec))
        return found

    def stop(self, run_id: str) -> None:
        """Ask a run to stop and return at once; it ends as `cancelled` with the metrics so far."""
        files, _ = self._find(run_id)
        if read_status(files).state in ENDED:
            return
        try:
            files.stop.touch()
        except OSError as error:
            raise UserError("the run cannot be stopped", f"{files.stop}: {error.strerror}") from error
        if not self._is_supervised(files):
            self._supervise(files)

    def remove(self, run_id: str) -> None:
        """Forget a run that has ended: its record, log and clone; the experiment stays."""
        files, spec = self._find(run_id)
        if self._describe(files, spec).is_active:
            raise UserError("the run is still going on", spec.name, "stop it first")
        from tui.dvc.launch import REMOVED

        hidden = files.directory.with_name(f".{run_id}.{REMOVED}")
        try:
            files.directory.rename(hidden)
        except OSError as error:
            raise UserError("the run cannot be removed", f"{files.directory}: {error.strerror}") from error
        shutil.rmtree(hidden, ignore_errors=True)  # the next launch sweeps up what is left

    def read_log(self, run_id: str, offset: int = 0) -> tuple[str, int]:
        """Log text from a byte offset on, at most a megabyte, and the next offset."""
        files, _ = self._find(run_id)
        return read_text(files.log, offset)

    def params(self) -> Mapping[str, Any]:
        """Params of the workspace, as nested values."""
        from tui.dvc.overrides import read_params

        return read_params(self._root)

    def commands(self) -> Sequence[str]:
        """Every git or dvc command that this process has run, oldest first."""
        return list(COMMANDS)

    def _directories(self) -> list[RunFiles]:
        home = runs_directory(self._root)
        with suppress(OSError):
            names = sorted((path.name for path in home.iterdir() if not path.name.startswith(".")), reverse=True)
            return [RunFiles(home / name) for name in names]
        return []

    def _find(self, run_id: str) -> tuple[RunFiles, RunSpec]:
        for files in self._directories():
            if files.directory.name == run_id and (spec := read_spec(files)) is not None:
                return files, spec
        raise UsageError("no such run", repr(run_id), "finetui experiments lists what there is")

    def _active_names(self) -> set[str]:
        return {run.name for run in self.runs() if run.is_active}

    def _describe(self, files: RunFiles, spec: RunSpec) -> Run:
        known = self._ended.get(spec.id)
        if known is not None and known[0] == _version(files):
            return known[1]
        version, status = _version(files), read_status(files)
        is_supervised = self._is_supervised(files)
        if not is_supervised and self._adopt and (status.state not in ENDED or _is_untidy(files, status)):
            is_supervised = self._supervise(files)
        run = _as_run(files, spec, status, is_supervised)
        if status.state in ENDED and not is_supervised:
            self._ended[spec.id] = version, run
        return run

    def _is_supervised(self, files: RunFiles) -> bool:
        child = self._supervisors.get(files.directory.name)
        if child is not None and child.poll() is None:
            return True
        try:
            with exclusive(files.lock, wait=False) as free:
                return not free
        except OSError:
            return processes.is_alive(read_status(files).supervisor)

    def _supervise(self, files: RunFiles) -> bool:
        """A new supervisor goes on from where the killed one was; False when there is none."""
        run_id = files.directory.name
        if time.monotonic() - self._tried.get(run_id, -_RETRY_S) < _RETRY_S:
            return False
        self._tried[run_id] = time.monotonic()
        from tui.dvc.launch import start_supervisor

        try:
            self._supervisors[run_id] = start_supervisor(files)
        except OSError:
            return False
        return True

    def _reap(self) -> None:
        """Collect supervisors that have ended, so that none stays behind as a zombie."""
        self._supervisors = {key: child for key, child in self._supervisors.items() if child.poll() is None}


def _version(files: RunFiles) -> int:
    try:
        return files.status.stat().st_mtime_ns
    except OSError:
        return 0


def _is_untidy(files: RunFiles, status: RunStatus) -> bool:
    return status.state == "done" and files.clone.exists()


def _as_run(files: RunFiles, spec: RunSpec, status: RunStatus, is_supervised: bool) -> Run:
    state: Status = "lost"
    if status.state == "done" or status.state == "failed" or status.state == "cancelled":
        state = status.state
    elif status.trouble is not None:
        state = "failed"
    elif status.state != "lost" and (is_supervised or processes.is_alive(status.process)):
        state = "running"
    directory = files.clone / spec.prefix
    return Run(
        id=spec.id,
        name=status.name or spec.name,
        status=state,
        baseline=spec.baseline,
        snapshot=spec.snapshot,
        started_at=datetime.fromisoformat(spec.started_at),
        directory=directory,
        log=files.log,
        overrides=spec.overrides,
        ended_at=datetime.fromisoformat(status.ended_at) if status.ended_at else None,
        pid=int(status.supervisor[0]) if status.supervisor and processes.is_alive(status.supervisor) else None,
        rev=status.rev,
        error=status.trouble or status.error,
        command=spec.command,
        progress=read_progress(directory, spec, status),
    )
