"""A query that is cancelled leaves no process behind, whatever it was at, but one for the next query."""

import shutil
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.unit.store_repos import finetui_project
from tui.core.errors import UserError
from tui.store import GitStore
from tui.store.sql.process import _prepared

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


def test_after_a_cancel_a_new_process_awaits_the_next_query(tmp_path: Path) -> None:
    store, cancelled = GitStore(finetui_project(tmp_path / "p", num_experiments=1).root), threading.Event()
    store.query("SELECT 1")
    given_up = store._queries._process
    threading.Timer(0.1, cancelled.set).start()
    with pytest.raises(UserError, match="cancelled"):
        store.query("SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b", cancelled=cancelled)
    ready = store._queries._process
    assert given_up is not None
    assert given_up.poll() is not None
    assert ready is not None
    assert ready.poll() is None
    assert store.query("SELECT count(*) FROM experiments").rows == ((3,),)
    assert store._queries._process is ready


def test_getting_ready_leaves_it_to_the_question_to_tell_what_is_wrong(tmp_path: Path) -> None:
    root = finetui_project(tmp_path / "p", num_experiments=1).root
    assert _prepared(root, 20) is not None
    shutil.rmtree(root / ".git")
    assert _prepared(root, 20) is None


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
