"""DVC that fails, caches that cannot be used, other processes: rows all the same."""

import errno
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.faults.store_project import FILES, GOOD, PIPELINE, git, good_project, head, listed, rows
from tests.unit.store_repos import RepoBuilder
from tui.__main__ import main
from tui.core.experiments import Experiment
from tui.store import GitStore
from tui.store.cache_file import CACHE_FOLDER
from tui.store.layouts.resolver import PROGRAM, Resolver

Capture = pytest.CaptureFixture[str]
ANSWERS = """
import json, sys, time
for line in sys.stdin:
    rev = json.loads(line)["rev"]
    {act}
    print(json.dumps(dict(root=json.loads(line)["root"], rev=rev, problem="nothing works")), flush=True)
"""


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    return good_project(tmp_path / "repo")


def use(monkeypatch: pytest.MonkeyPatch, *command: str, answer_s: float = 30.0) -> None:
    """Ask another program than DVC for layouts."""
    resolver = Resolver(command, answer_s)
    monkeypatch.setattr("tui.store.layouts.lookup.shared_resolver", lambda: resolver)


def plain_rows(root: Path) -> list[Experiment]:
    """Rows that show what is plain to see, and why that is all."""
    found = GitStore(root).experiments()
    assert [row.params for row in found] == [{"params.yaml": {"a": 1}}, {"params.yaml": {"a": 1}}, GOOD]
    assert {str(row.metrics) for row in found} == {str({"m.json": {"loss": 1}})}
    assert all(row.error for row in found)
    return found


PROGRAMS = {
    "no such program": ["/no/such/program"],
    "ends at once": [sys.executable, "-c", "raise SystemExit(3)"],
    "no DVC in it": [sys.executable, "-c", "import sys; sys.modules['dvc'] = None; import dvc"],
    "talks nonsense": [sys.executable, "-c", "import sys; [print('nonsense', flush=True) for _ in sys.stdin]"],
    "is killed": [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"],
    "says no": [sys.executable, "-c", ANSWERS.format(act="pass")],
    "answers with rubbish": [sys.executable, "-c", ANSWERS.format(act='print(\'{"root": 1, "layout": []}\')')],
    "is stuck": [sys.executable, "-c", "import time; time.sleep(60)"],
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_dvc_that_cannot_be_asked(
    builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch, capsys: Capture, kind: str
) -> None:
    use(monkeypatch, *PROGRAMS[kind], answer_s=0.5)
    begin = time.monotonic()
    plain_rows(builder.root)
    assert len(listed(builder.root, capsys)) == 3
    assert time.monotonic() - begin < 15


def test_what_a_failing_dvc_left_out_is_there_once_it_works(
    builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        use(patch, "/no/such/program")
        plain_rows(builder.root)
    assert rows(builder.root)["main"].error is None


def test_a_revision_at_which_dvc_is_stuck_hides_no_other(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    revs = [
        builder.experiment(f"other-{number}", head(builder), {"dvc.yaml": PIPELINE + f"# {number}\n"})
        for number in range(3)
    ]
    use(monkeypatch, sys.executable, "-c", ANSWERS.format(act=f"rev == {revs[1]!r} and time.sleep(60)"), answer_s=1.0)
    found = {row.label: row.error for row in GitStore(builder.root).experiments()}
    assert "did not say within" in (found["other-1"] or "")
    assert {str(error) for label, error in found.items() if label != "other-1"} == {"DVC says: nothing works"}


STUCK_AT_ONE = """
import json, sys, time
from pathlib import Path
for line in sys.stdin:
    question = json.loads(line)
    with Path({log!r}).open("a") as log:
        log.write(question["rev"] + "\\n")
    if question["rev"] == {stuck!r}:
        time.sleep(60)
    print(json.dumps(dict(question, problem="nothing works", is_final=False)), flush=True)
"""


def test_where_dvc_is_stuck_no_other_process_waits_again_for_a_while(
    builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tui.store.layouts.failures.SLOW_S", 0.9)
    stuck, log = builder.experiment("stuck", head(builder), {"dvc.yaml": PIPELINE + "# other\n"}), tmp_path / "asked"
    program = STUCK_AT_ONE.format(log=str(log), stuck=stuck)

    def error(answer_s: float = 1.0) -> str:
        """What a process of its own says, in which DVC is started anew."""
        use(monkeypatch, sys.executable, "-c", program, answer_s=answer_s)
        found = {row.label: row for row in GitStore(builder.root).experiments()}
        assert found["stuck"].metrics == {"m.json": {"loss": 1}}
        assert found["main"].error == "DVC says: nothing works"
        return found["stuck"].error or ""

    assert error().endswith("within 1 s where params and metrics are")
    assert log.read_text().count(stuck) == 1
    began = time.monotonic()
    assert "(asked at 2" in error(answer_s=9.0)
    assert time.monotonic() - began < 8
    assert log.read_text().count(stuck) == 1
    later = time.time() + 301
    monkeypatch.setattr("tui.store.layouts.failures.time", SimpleNamespace(time=lambda: later))
    assert error().endswith("within 1 s where params and metrics are"), "it is asked again"
    assert log.read_text().count(stuck) == 2
    assert "(asked at 2" in error()
    monkeypatch.undo()
    with monkeypatch.context() as patch:
        patch.setattr("tui.store.layouts.failures.time", SimpleNamespace(time=lambda: later + 601))
        assert rows(builder.root)["stuck"].error is None, "once DVC works nothing of it is left"
    assert rows(builder.root)["stuck"].error is None


def test_where_dvc_is_stuck_again_and_again_the_rest_waits_as_well(
    builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.store.layouts.failures.SLOW_S", 0.2)
    for number in range(4):
        builder.experiment(f"other-{number}", head(builder), {"dvc.yaml": PIPELINE + f"# {number}\n"})
    use(monkeypatch, *PROGRAMS["is stuck"], answer_s=0.3)
    first = GitStore(builder.root).experiments()
    assert all("did not say within" in (row.error or "") for row in first)
    use(monkeypatch, *PROGRAMS["is stuck"], answer_s=9.0)
    began = time.monotonic()
    again = GitStore(builder.root).experiments()
    assert time.monotonic() - began < 8
    assert all("(asked at 2" in (row.error or "") for row in again)
    assert [row.params for row in again] == [row.params for row in first]


def test_a_slow_dvc_is_not_waited_for_by_a_live_store(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, sys.executable, "-c", ANSWERS.format(act="time.sleep(30)"))
    begin = time.monotonic()
    found = GitStore(builder.root, is_live=True).experiments()
    assert time.monotonic() - begin < 3
    assert all(row.is_pending for row in found)
    assert found[-1].params == GOOD


def spoil_cache(builder: RepoBuilder, kind: str) -> None:
    folder = builder.root / CACHE_FOLDER
    place = folder / "rows.sqlite"
    if kind == "garbage":
        place.write_bytes(b"SQLite format 3\0" + b"garbage" * 1000)
    elif kind == "newer":
        with sqlite3.connect(place) as connection:
            connection.execute("PRAGMA user_version = 99")
            connection.execute("DROP TABLE IF EXISTS rows")
            connection.execute("CREATE TABLE rows (other INTEGER)")
    elif kind == "a folder":
        shutil.rmtree(folder)
        place.mkdir(parents=True)
    elif kind == "a file above":
        shutil.rmtree(folder)
        folder.write_text("in the way")
    elif kind == "cut off":
        place.write_bytes(place.read_bytes()[:5000])
    elif kind == "lies":
        with sqlite3.connect(place) as connection:
            connection.execute("UPDATE rows SET value = x'00010203' || value")
    else:
        folder.chmod(0o500)
        place.chmod(0o400)


@pytest.mark.parametrize("kind", ["garbage", "newer", "a folder", "a file above", "cut off", "lies", "read-only"])
def test_a_cache_that_cannot_be_used(builder: RepoBuilder, capsys: Capture, kind: str) -> None:
    wanted = rows(builder.root)
    spoil_cache(builder, kind)
    try:
        assert rows(builder.root) == wanted
        assert len(listed(builder.root, capsys)) == 3
        builder.experiment("later", head(builder), {"m.json": {"loss": 3}})
        assert rows(builder.root)["later"].metrics == {"m.json": {"loss": 3}}
    finally:
        folder = builder.root / CACHE_FOLDER
        if folder.is_dir():
            folder.chmod(0o700)


def test_a_project_that_may_not_be_written(builder: RepoBuilder, capsys: Capture) -> None:
    (builder.root / ".dvc").chmod(0o500)
    try:
        rows(builder.root)
        listed(builder.root, capsys)
    finally:
        (builder.root / ".dvc").chmod(0o700)


MAY_NOT_WRITE = """
import errno, os, runpy, sys
def refuse(path, *rest, **named):
    raise OSError(errno.{code}, os.strerror(errno.{code}), str(path))
os.mkdir = refuse
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("code", ["EACCES", "EROFS", "ENOSPC"])
def test_where_dvc_may_not_write_rows_show_what_is_plain_to_see_and_why(
    builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """DVC wants to make .dvc/tmp/btime even to read; tests may run as root, whom no mode of a folder stops."""
    each = "  t:\n    foreach: [en]\n    do: {cmd: x, metrics: [{'${item}.json': {cache: false}}]}\n"
    builder.experiment("each", head(builder), {"dvc.yaml": PIPELINE + each, "en.json": {"loss": 2}})
    shutil.rmtree(builder.root / ".dvc/tmp", ignore_errors=True)
    with monkeypatch.context() as patch:
        use(patch, sys.executable, "-c", MAY_NOT_WRITE.format(code=code), str(PROGRAM))
        found = {row.label: row for row in GitStore(builder.root).experiments()}
    reason = os.strerror(getattr(errno, code))
    assert {label for label, row in found.items() if reason in (row.error or "")} == set(found)
    assert found["good"].params == GOOD
    assert found["each"].metrics == {"m.json": {"loss": 1}}
    again = rows(builder.root)
    assert again["each"].metrics == {"m.json": {"loss": 1}, "en.json": {"loss": 2}}
    assert {row.error for row in again.values()} == {None}


def test_two_processes_at_once_and_none_before(builder: RepoBuilder) -> None:
    """Both make the cache; both answer the same, and what they leave is good."""
    for number in range(20):
        builder.experiment(f"other-{number}", head(builder), {"m.json": {"loss": number}})
    command = [sys.executable, "-m", "tui", "-C", str(builder.root), "experiments", "--json"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert answers[0] == answers[1]
    assert len(json.loads(answers[0][0])) == 23
    assert len(rows(builder.root)) == 23


def test_threads_may_share_a_store(builder: RepoBuilder) -> None:
    for number in range(30):
        builder.experiment(f"exp-{number}", head(builder), {"m.json": {"loss": number}})
    store = GitStore(builder.root)

    def work(number: int) -> None:
        for _ in range(5):
            found = store.experiments()
            assert len(found) == 33
            assert store.resolve(f"exp-{number}").metrics == {"m.json": {"loss": number}}
            assert store.series(found[2 + number]) == []

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(work, range(8)))) == 8


def test_a_repository_that_changes_while_it_is_read(builder: RepoBuilder) -> None:
    """Experiments come and go, are packed and pruned: every answer is whole."""
    done = threading.Event()
    problems: list[str] = []

    def read() -> None:
        store = GitStore(builder.root)
        while not done.is_set():
            for row in store.experiments():
                known = row.params in (GOOD, {"params.yaml": {"a": 1}}) or row.label.startswith("new-")
                if row.error is not None and "missing" not in row.error:
                    problems.append(f"{row.label}: {row.error}")
                if not known and row.error is None:
                    problems.append(f"{row.label}: {row.params}")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(12):
            name = f"new-{number}"
            builder.experiment(name, head(builder), {"params.yaml": f"a: {number}\n"})
            if number % 3 == 1:
                ref = f"refs/exps/{head(builder)[:2]}/{head(builder)[2:]}/{name}"
                builder.repository.references.delete(ref)
            if number % 4 == 3:
                git(builder.root, "gc", "-q", "--prune=now")
    finally:
        done.set()
        reader.join(30)
    assert problems == []
    found = rows(builder.root)
    assert {f"new-{number}" for number in range(12) if number % 3 != 1} <= found.keys()
    assert all(row.error is None for row in found.values())


def test_the_work_tree_vanishes_while_it_is_open(builder: RepoBuilder, capsys: Capture) -> None:
    store = GitStore(builder.root)
    store.experiments()
    for name in FILES:
        (builder.root / name).unlink()
    assert store.experiments()[0].params == {}
    shutil.rmtree(builder.root)
    assert main(["-C", str(builder.root), "experiments"]) in {1, 2}
    assert "Traceback" not in capsys.readouterr().err
    assert {row.kind for row in store.experiments()} <= {"workspace", "commit", "experiment"}


def test_a_remote_that_never_answers_is_not_even_asked(builder: RepoBuilder, capsys: Capture) -> None:
    """Cached metrics that are only on a remote are missing at once; DVC would wait for the remote."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/data"
        config = f"[core]\n    remote = far\n['remote \"far\"']\n    url = {url}\n"
        out = {"cmd": "x", "outs": [{"path": "m.json", "hash": "md5", "md5": "ab" * 16, "size": 5}]}
        lock = json.dumps({"schema": "2.0", "stages": {"s": out}})
        pipeline = PIPELINE.replace("m.json:\n        cache: false", "m.json")
        files = {".dvc/config": config, "dvc.yaml": pipeline, "dvc.lock": lock, "m.json": None}
        builder.experiment("far", head(builder), files)
        builder.write({".dvc/config": config})
        rows(builder.root)
        begin = time.monotonic()
        shutil.rmtree(builder.root / CACHE_FOLDER)
        row = rows(builder.root)["far"]
        assert time.monotonic() - begin < 10
        assert (row.missing, row.error, row.metrics) == (("m.json",), None, {})
        assert [found["missing"] for found in listed(builder.root, capsys) if found["name"] == "far"] == [["m.json"]]
        with pytest.raises(TimeoutError):
            server.accept()
