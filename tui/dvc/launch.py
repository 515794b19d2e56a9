"""Starting a run: everything is prepared out of sight, appears at once, and leaves nothing behind when it fails."""

import difflib
import errno
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

from pipeline.contract.files import write_text
from pipeline.contract.paths import PARAMS_FILE, PIPELINE_FILE
from tui.core.errors import UsageError, UserError
from tui.core.runs import RunRequest
from tui.dvc.clone import commit_changes, create_clone, fill_clone, take_snapshot
from tui.dvc.declared import DeclaredStage, read_stages, upstream_closure
from tui.dvc.environment import supervisor_environment
from tui.dvc.git import git
from tui.dvc.names import check_name, experiment_names, make_name
from tui.dvc.overrides import rewritten_params
from tui.dvc.project import Project, at_commit, identity, open_project, runs_directory
from tui.dvc.record import RunFiles, RunSpec, exclusive
from tui.dvc.sources import check_sources

REMOVED = "removed"
"""Ending of the hidden folder of a run that is being removed."""
_HIDDEN = "."


def check_request(
    project: Project, request: RunRequest, taken: Collection[str], sources: Path | None = None
) -> tuple[str, list[DeclaredStage]]:
    """Name of the experiment and stages of the run; UserError when it cannot be launched. `sources` is the folder with
    what is run, where that is not the workspace."""
    root = sources or project.root
    names = experiment_names(project) | set(taken)
    if request.name is not None:
        check_name(request.name, project, names)
    stages = read_stages(root)
    if not stages:
        where = request.rev or project.root
        raise UserError("the project has no pipeline", f"{where} has no {PIPELINE_FILE} with stages")
    if not git(root, "ls-files", "--", str(PIPELINE_FILE)):
        raise UserError(f"{PIPELINE_FILE} is not in Git", "a run sees tracked files only", f"git add {PIPELINE_FILE}")
    _check_targets(request.targets, stages)
    if request.targets:
        stages = upstream_closure(stages, [target.partition("@")[0] for target in request.targets])
    return request.name or make_name(names), stages


def _check_targets(targets: Sequence[str], stages: Sequence[DeclaredStage]) -> None:
    known = {stage.name: stage for stage in stages}
    for target in targets:
        group, at, _ = target.partition("@")
        if target in known or (at and group in known and known[group].is_templated):
            continue
        close = difflib.get_close_matches(target, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UsageError("no such stage", f"{PIPELINE_FILE}: {target}", f"{hint}known: {', '.join(known)}")


def launch(root: Path, request: RunRequest, taken: Collection[str]) -> tuple[RunFiles, "subprocess.Popen[bytes]"]:
    """A started run and its supervisor; `taken` are the names of active runs."""
    project = open_project(root)
    with _explained(root):
        home = runs_directory(root)
        home.mkdir(parents=True, exist_ok=True)
        write_text(home.parent / ".gitignore", "*\n")
        _sweep(home)
        started = datetime.now(UTC)
        run_id = f"{started:%Y%m%d-%H%M%S}-{started.microsecond:06d}-{secrets.token_hex(3)}"
        draft = RunFiles(home / f"{_HIDDEN}{run_id}.{os.getpid()}")
        files = RunFiles(home / run_id)
        try:
            draft.directory.mkdir()
            _prepare(project, request, draft, run_id, started, taken)
            draft.directory.rename(files.directory)
            return files, start_supervisor(files)
        except BaseException:
            for leftover in (draft, files):
                shutil.rmtree(leftover.directory, ignore_errors=True)
            raise


def _prepare(
    project: Project, request: RunRequest, draft: RunFiles, run_id: str, started: datetime, taken: Collection[str]
) -> None:
    author = identity(project.root)
    if request.rev is None:
        name, stages = check_request(project, request, taken)
        snapshot = _snapshot_workspace(project, request, draft, author)
    else:
        project = at_commit(project, request.rev)
        sources = check_out(project, draft)
        name, stages = check_request(project, request, taken, sources)
        snapshot = _snapshot_commit(project, request, draft, author)
    RunSpec(
        run_id,
        name,
        str(project.prefix),
        project.baseline,
        snapshot,
        started.isoformat(timespec="milliseconds"),
        dict(request.overrides),
        list(request.targets),
        request.force,
        [stage.name for stage in stages],
        author,
    ).write(draft.request)


def _snapshot_workspace(project: Project, request: RunRequest, draft: RunFiles, author: Mapping[str, str]) -> str:
    """SHA of the workspace's tracked files with the overrides, checked out in the clone."""
    text = rewritten_params(project.root, request.overrides)
    check_sources(project, request.overrides)
    changed = {} if text is None else {project.git_path(PARAMS_FILE): text}
    create_clone(project, draft.clone)
    snapshot = take_snapshot(project, draft.clone, changed, author)
    fill_clone(project, draft.clone, snapshot)
    return snapshot


def check_out(project: Project, draft: RunFiles) -> Path:
    """The project in a clone with the files of the baseline."""
    create_clone(project, draft.clone)
    fill_clone(project, draft.clone, project.baseline)
    return draft.clone / project.prefix


def _snapshot_commit(project: Project, request: RunRequest, draft: RunFiles, author: Mapping[str, str]) -> str:
    """SHA of the baseline with the overrides, checked out in the clone."""
    text = rewritten_params(draft.clone / project.prefix, request.overrides)
    changed = {} if text is None else {project.git_path(PARAMS_FILE): text}
    snapshot = commit_changes(project, draft.clone, changed, author)
    fill_clone(project, draft.clone, snapshot)
    return snapshot


def start_supervisor(files: RunFiles) -> "subprocess.Popen[bytes]":
    """A process of its own session, which outlives this one and its terminal."""
    with files.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - an argument list, no shell
            [sys.executable, "-m", "tui.dvc.supervisor", str(files.directory)],
            cwd=Path(__file__).parents[2],
            env=supervisor_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@contextmanager
def scratch(root: Path) -> Iterator[RunFiles]:
    """A folder like that of a run, which is gone afterwards; the next launch sweeps it up after a kill."""
    with _explained(root):
        home = runs_directory(root)
        home.mkdir(parents=True, exist_ok=True)
        write_text(home.parent / ".gitignore", "*\n")
        draft = RunFiles(home / f"{_HIDDEN}{secrets.token_hex(6)}.{os.getpid()}")
        try:
            draft.directory.mkdir()
            yield draft
        finally:
            shutil.rmtree(draft.directory, ignore_errors=True)


@contextmanager
def naming(root: Path) -> Iterator[None]:
    """Held while a name is chosen and taken, so that two launches never take the same."""
    with _explained(root):
        home = runs_directory(root)
        home.mkdir(parents=True, exist_ok=True)
        with exclusive(home / f"{_HIDDEN}lock", wait=True):
            yield


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or runs_directory(root)
        hint = {errno.ENOSPC: "free some space and try again", errno.EDQUOT: "free some space and try again"}
        advice = hint.get(error.errno or 0, "make the folder writable and try again")
        raise UserError("the run cannot be prepared", f"{place}: {error.strerror or error}", advice) from error


def _sweep(home: Path) -> None:
    """Drafts of launches that were killed, and what a removal that was killed has left."""
    for leftover in home.glob(f"{_HIDDEN}*.*"):
        owner = leftover.name.rpartition(".")[2]
        if owner == REMOVED or (owner.isdigit() and not psutil.pid_exists(int(owner))):
            shutil.rmtree(leftover, ignore_errors=True)
