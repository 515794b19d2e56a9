"""The end of a run: one experiment commit, fetched into the project; every step can be repeated after a kill."""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pipeline.contract import paths
from pipeline.contract.yaml12 import load_yaml
from tui.dvc.git import GitError, git, try_git
from tui.dvc.names import exps_namespace
from tui.dvc.outcome import decide
from tui.dvc.progress import keep_progress
from tui.dvc.record import ENDED, RunFiles, RunSpec, RunStatus
from tui.dvc.results import is_readable, result_files, stale_files

_MAX_ERROR = 300
_MAX_NAMES = 1_000
_PRIVATE_REF = "refs/finetui/experiment"
"""In the clone: the commit is made, whether or not it is published yet."""


def finish(files: RunFiles, spec: RunSpec, status: RunStatus, witnessed: bool) -> None:
    """Decide, commit, publish, tell, tidy up; of a run that has ended only the last is left to do."""
    if status.state not in ENDED:
        if status.outcome is None:
            status.outcome, status.error = decide(files, spec, status, witnessed)
            _close_stages(status)
            keep_progress(files.clone / spec.prefix, spec, status)
            status.write(files.status)
        rev = try_git(files.clone, "rev-parse", "--verify", "--quiet", _PRIVATE_REF) or _commit(files, spec, status)
        status.rev, status.name = rev, _publish(files, spec, rev)
        status.trouble = None
        status.state, status.ended_at = status.outcome, datetime.now(UTC).isoformat(timespec="seconds")
        status.write(files.status)
    if status.state == "done":
        shutil.rmtree(files.clone, ignore_errors=True)
    shutil.rmtree(files.site_cache, ignore_errors=True)


def _close_stages(status: RunStatus) -> None:
    """The stage that was running when the run ended has ended the same way."""
    last = {"done": "done", "cancelled": "cancelled"}.get(str(status.outcome), "failed")
    for note in status.stages.values():
        if note.status == "running":
            note.status, note.ended = last, time.time()  # type: ignore[assignment]  # one of three literals


def _commit(files: RunFiles, spec: RunSpec, status: RunStatus) -> str:
    """The clone's state as one commit on the baseline."""
    with tempfile.TemporaryDirectory(prefix="index-", dir=files.directory) as folder:
        tree = _write_tree(files, spec, status, Path(folder, "index"))
    message = _message(files, spec, status).encode()
    rev = git(files.clone, "commit-tree", tree, "-p", spec.baseline, stdin=message, environment=spec.identity)
    # A git that was killed with its machine may have left it; only the one supervisor of the run sets this ref.
    (files.clone / ".git" / f"{_PRIVATE_REF}.lock").unlink(missing_ok=True)
    git(files.clone, "update-ref", _PRIVATE_REF, rev)
    return rev


def _write_tree(files: RunFiles, spec: RunSpec, status: RunStatus, index: Path) -> str:
    """SHA of the results; in an index of its own, because a kill may have left that of the clone locked."""
    root, environment = files.clone / spec.prefix, {"GIT_INDEX_FILE": str(index)}
    shutil.copy2(files.clone / ".git" / "index", index)
    git(files.clone, "add", "-u", environment=environment)
    if is_readable(root):
        _stage(root, environment, "--add", result_files(root))
        _stage(root, environment, "--force-remove", stale_files(root, status, status.outcome == "done"))
    return git(files.clone, "write-tree", environment=environment)


def _stage(root: Path, environment: Mapping[str, str], option: str, names: list[str]) -> None:
    """update-index instead of add: it takes ignored files, and names that Git would read as patterns."""
    if names:
        paths_in_git = "\0".join(names).encode("utf-8", "surrogateescape")
        git(root, "update-index", option, "-z", "--stdin", stdin=paths_in_git, environment=environment)


def _message(files: RunFiles, spec: RunSpec, status: RunStatus) -> str:
    try:
        lock: Any = load_yaml((files.clone / spec.prefix / paths.LOCK_FILE).read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        lock = None
    stages = lock.get("stages", {}) if isinstance(lock, dict) else {}
    digest = hashlib.sha256(json.dumps(stages, sort_keys=True, default=str).encode()).hexdigest()
    trailers = [f"Finetui-Status: {status.outcome}", f"Finetui-Run: {spec.id}"]
    if status.error:
        trailers.append(f"Finetui-Error: {' '.join(status.error.split())[:_MAX_ERROR]}")
    return f"dvc: commit experiment {digest}\n\n" + "\n".join(trailers) + "\n"


def _publish(files: RunFiles, spec: RunSpec, rev: str) -> str:
    """Fetch the commit into the project under its name; under the next free one if somebody took that meanwhile."""
    namespace = exps_namespace(spec.baseline)
    for number in range(1, _MAX_NAMES):
        name = spec.name if number == 1 else f"{spec.name}-{number}"
        found = try_git(files.root, "rev-parse", "--verify", "--quiet", f"{namespace}/{name}")
        if found == rev:
            return name
        if found is None:
            _fetch(files, f"{_PRIVATE_REF}:{namespace}/{name}")
            return name
    raise GitError("no free name for the experiment", spec.name, "remove some experiments of that name")


def _fetch(files: RunFiles, refspec: str) -> None:
    """The options keep the user's Git configuration from forbidding it or from doing more than that."""
    settings = ("-c", "protocol.file.allow=always", "-c", "fetch.prune=false")
    options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
    git(files.root, *settings, "fetch", *options, str(files.clone), refspec)
