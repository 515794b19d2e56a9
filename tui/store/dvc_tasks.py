"""Experiments that DVC itself has queued, runs, or has lost, from the files that it keeps below .dvc/tmp/exps.

Formats of DVC 3.67. DVC calls a run whose process is gone "running" for ever; here it is `lost`.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tui.core.experiments import Status

_TASK = "dvc.repo.experiments.queue.tasks.run_exp"
_READY = {"SUCCESS", "FAILURE", "REVOKED"}
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class DvcTask:
    """One experiment that is not, or not yet, a ref."""

    name: str | None
    rev: str
    """Stash commit with the params of the run."""
    baseline: str
    status: Status
    root: Path | None = None
    """Folder that it runs in, while there is one."""


class DvcTasks:
    """Reads the tasks; a message of the queue never changes, so each is decoded once."""

    def __init__(self, root: Path) -> None:
        self._folder = root / ".dvc" / "tmp" / "exps"
        self._messages: dict[str, tuple[str, dict[str, Any]] | None] = {}

    def read(self) -> list[DvcTask]:
        """All tasks that have not become experiments."""
        if not self._folder.is_dir():
            return []
        return [*self._queue(), *self._standalone()]

    def _queue(self) -> Iterator[DvcTask]:
        broker = self._folder / "celery" / "broker"
        for folder, is_queued in (("in", True), ("processed", False)):
            for path in sorted((broker / folder).glob("*.celery.msg")):
                message = self._message(path)
                if message is not None:
                    task_id, entry = message
                    status, root = ("queued", None) if is_queued else self._progress(task_id, str(entry["stash_rev"]))
                    if status is not None:
                        yield _task(entry, str(entry["stash_rev"]), status, root)

    def _message(self, path: Path) -> tuple[str, dict[str, Any]] | None:
        if path.name not in self._messages:
            self._messages[path.name] = _decode(_json(path))
        return self._messages[path.name]

    def _progress(self, task_id: str, rev: str) -> tuple[Status | None, Path | None]:
        """State of a task that a worker has taken; None if it has become an experiment."""
        info = _json(self._folder / "run" / rev / f"{rev}.run")
        process = _json(self._folder / "run" / rev / f"{rev}.json")
        result = _json(self._folder / "celery" / "result" / f"celery-task-meta-{task_id}")
        root = Path(str(info["root_dir"])) if info.get("root_dir") else None
        if result.get("status") in _READY:
            return (None if info.get("result_hash") else "failed"), None
        return ("running" if not process or is_dvc_process(process.get("pid")) else "lost"), root

    def _standalone(self) -> Iterator[DvcTask]:
        """Runs of `dvc exp run --temp`; their only pid is in the lock of the folder that they run in."""
        for path in sorted((self._folder / "standalone" / "run").glob("*/*.run")):
            info = _json(path)
            root = Path(str(info.get("root_dir", "")))
            if info.get("result_hash") or not info.get("baseline_rev") or not root.is_absolute() or not root.is_dir():
                continue
            yield _task(info, path.stem, "running" if is_dvc_process(_lock_pid(root)) else "lost", root)


def _task(entry: dict[str, Any], rev: str, status: Status, root: Path | None) -> DvcTask:
    name = entry.get("name")
    return DvcTask(name if isinstance(name, str) else None, rev, str(entry.get("baseline_rev")), status, root)


def _decode(message: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    headers = message.get("headers")
    if not isinstance(headers, dict) or headers.get("task") != _TASK:
        return None
    try:
        arguments, named, _ = orjson.loads(base64.b64decode(message["body"]))
        entry = named.get("entry_dict") or arguments[0]
        return (str(headers["id"]), entry) if "stash_rev" in entry else None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None


def _json(path: Path) -> dict[str, Any]:
    """A JSON object; empty if the file is gone or just being replaced."""
    try:
        value = orjson.loads(path.read_bytes()) if path.stat().st_size <= _MAX_BYTES else None
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _lock_pid(root: Path) -> int | None:
    try:
        return int((root / ".dvc" / "tmp" / "lock").read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return None


def is_stage_running(root: Path) -> bool:
    """Whether a `dvc` command runs a stage in this very folder: it holds path locks meanwhile."""
    locks = _json(root / ".dvc" / "tmp" / "rwlock")
    holders = [entry for lock in locks.values() if isinstance(lock, dict) for entry in _flat(lock)]
    return any(is_dvc_process(pid) for pid in [entry.get("pid") for entry in holders if isinstance(entry, dict)])


def _flat(lock: dict[str, Any]) -> Iterator[Any]:
    for entry in lock.values():
        yield from entry if isinstance(entry, list) else [entry]


def is_dvc_process(pid: object) -> bool:
    """Whether a live process with that id runs DVC: the pid of a dead one may belong to anything by now."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    import psutil

    try:
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and any("dvc" in word for word in process.cmdline())
    except (psutil.Error, OSError):
        return False
