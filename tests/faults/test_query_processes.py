"""A query that is cancelled leaves no process behind, whatever it was at."""

import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.unit.store_repos import finetui_project
from tui.core.errors import UserError
from tui.store import GitStore

_LONGEST_S = 30.0


def test_cancel_while_dvc_is_asked_ends_what_asks_it(tmp_path: Path) -> None:
    store, cancelled = GitStore(finetui_project(tmp_path / "p").root), threading.Event()
    asking: list[psutil.Process] = []

    def watch() -> None:
        deadline = time.monotonic() + _LONGEST_S
        while not asking and time.monotonic() < deadline:
            engine = store._queries._process
            asking.extend(psutil.Process(engine.pid).children() if engine is not None else [])
            time.sleep(0.01)
        cancelled.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.raises(UserError, match="cancelled"):
        store.query("FROM metrics", timeout_s=_LONGEST_S, cancelled=cancelled)
    watcher.join()
    assert asking, "DVC was not asked"
    deadline = time.monotonic() + 0.5  # it would take longer to import DVC and see that nobody asks
    while any(map(is_alive, asking)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(is_alive, asking))


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
