"""The cache file: shared by processes, thrown away without harm, never a reason to fail."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.store_repos import RepoBuilder, add_experiment, finetui_project
from tui.store import GitStore, cache_file
from tui.store.cache_file import CACHE_FOLDER, CacheFile
from tui.store.git.row_cache import CommitRow, RowCache, decode_row, encode_row

TABLES = ("rows", "layouts")
ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys
from pathlib import Path
from tui.store.cache_file import CacheFile
file = CacheFile(Path(sys.argv[1]), ("rows", "layouts"))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    file.put("rows", [(f"{sys.argv[2]}-{number}-{part}", b"x" * 500) for part in range(10)])
print(len(file.get("rows", [f"{sys.argv[2]}-{n}-{p}" for n in range(int(sys.argv[3])) for p in range(10)])))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "rows.sqlite"


def opened(place: Path | None) -> CacheFile:
    return CacheFile(place, TABLES)


def test_what_is_put_is_got_by_another_one(place: Path) -> None:
    one = opened(place)
    one.put("rows", [("a", b"1"), ("b", b"")])
    one.put("layouts", [("a", b"other")])
    assert opened(place).get("rows", ["a", "b", "c"]) == {"a": b"1", "b": b""}
    one.put("rows", [("a", b"2")])
    assert opened(place).get("rows", ["a"]) == {"a": b"2"}
    assert opened(place).get("layouts", ["a", "b"]) == {"a": b"other"}


def test_many_keys_are_found_at_once(place: Path) -> None:
    file = opened(place)
    file.put("rows", ((f"key-{number}", str(number).encode()) for number in range(12_000)))
    found = file.get("rows", [f"key-{number}" for number in range(0, 24_000, 2)])
    assert found == {f"key-{number}": str(number).encode() for number in range(0, 12_000, 2)}


def start_writers(place: Path, num_writers: int, num_rounds: int) -> list[subprocess.Popen[str]]:
    """Processes that have the file open and wait for a line."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(place), f"w{number}", str(num_rounds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )
        for number in range(num_writers)
    ]  # fmt: skip
    assert all(writer.stdout is not None and writer.stdout.readline() == "ready\n" for writer in writers)
    return writers


def test_processes_that_write_at_once_lose_nothing(place: Path) -> None:
    writers = start_writers(place, 3, 40)
    answers = [writer.communicate("go\n", timeout=60)[0] for writer in writers]
    assert answers == ["400\n"] * 3
    wanted = [f"w{w}-{n}-{p}" for w in range(3) for n in range(40) for p in range(10)]
    assert len(opened(place).get("rows", wanted)) == 1_200


def test_a_process_that_is_killed_while_it_writes_leaves_whole_rows(place: Path) -> None:
    (writer,) = start_writers(place, 1, 1_000_000)
    assert writer.stdin is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()
    deadline = time.monotonic() + 30
    while not opened(place).get("rows", ["w0-20-0"]) and time.monotonic() < deadline:
        time.sleep(0.01)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    found = opened(place).get("rows", [f"w0-{n}-{p}" for n in range(2_000) for p in range(10)])
    assert len(found) >= 200
    assert len(found) % 10 == 0, "a transaction was kept in part"
    assert set(found.values()) == {b"x" * 500}


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + bytes(5_000)])
def test_a_broken_file_is_made_anew(place: Path, content: bytes) -> None:
    place.parent.mkdir()
    place.write_bytes(content)
    file = opened(place)
    file.put("rows", [("a", b"1")])
    file.put("rows", [("a", b"1")])
    assert opened(place).get("rows", ["a"]) == {"a": b"1"}


def test_a_value_that_was_half_written_is_none(place: Path) -> None:
    file = opened(place)
    file.put("rows", [("a", b"12345678"), ("b", b"good")])
    file.close()
    connection = sqlite3.connect(place)
    connection.execute("UPDATE rows SET value = substr(value, 1, 6) WHERE key = 'a'")
    connection.execute("INSERT INTO rows SELECT 'c', value FROM rows WHERE key = 'b'")
    connection.commit()
    connection.close()
    assert opened(place).get("rows", ["a", "b", "c"]) == {"b": b"good"}


def test_an_older_file_is_emptied_and_a_table_that_is_new_is_added(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CacheFile(place, ("rows",)).put("rows", [("a", b"1")])
    file = opened(place)
    file.put("layouts", [("b", b"2")])
    assert (file.get("rows", ["a"]), file.get("layouts", ["b"])) == ({"a": b"1"}, {"b": b"2"})
    monkeypatch.setattr(cache_file, "SCHEMA", cache_file.SCHEMA + 1)
    newer = opened(place)
    assert newer.get("rows", ["a"]) == {}
    newer.put("rows", [("a", b"new")])
    assert opened(place).get("rows", ["a"]) == {"a": b"new"}


def test_a_file_that_has_grown_too_large_is_emptied(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened(place)
    first.put("rows", [("a", bytes(100_000))])
    first.close()
    monkeypatch.setattr(cache_file, "MAX_BYTES", 50_000)
    file = opened(place)
    assert file.get("rows", ["a"]) == {}
    file.put("rows", [("b", b"1")])
    assert file.get("rows", ["b"]) == {"b": b"1"}


@pytest.mark.parametrize("obstacle", ["a file in place of the folder", "a folder in place of the file"])
def test_where_nothing_can_be_written_memory_does(place: Path, obstacle: str) -> None:
    if obstacle == "a file in place of the folder":
        place.parent.write_text("in the way")
    else:
        place.mkdir(parents=True)
    file = opened(place)
    file.put("rows", [("a", b"1")])
    assert file.get("rows", ["a"]) == {"a": b"1"}
    assert opened(place).get("rows", ["a"]) == {}


def test_a_full_disk_drops_what_does_not_fit(place: Path) -> None:
    file = opened(place)
    file.put("rows", [("a", b"1")])
    assert file._connection is not None
    pages = file._connection.execute("PRAGMA page_count").fetchone()[0]
    file._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    file.put("rows", [("b", b"2"), ("c", bytes(1_000_000))])
    assert file.get("rows", ["a", "b", "c"]) == {"a": b"1"}
    file.put("rows", [("d", b"4")])
    assert file.get("rows", ["d"]) == {"d": b"4"}


def test_another_one_that_writes_for_long_is_not_waited_for(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_file, "_BUSY_S", 0.05)
    file = opened(place)
    file.put("rows", [("a", b"1")])
    other = sqlite3.connect(place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    file.put("rows", [("b", b"2")])
    assert file.get("rows", ["a", "b"]) == {"a": b"1"}
    assert time.monotonic() - began < 1
    other.execute("ROLLBACK")
    file.put("rows", [("b", b"2")])
    assert file.get("rows", ["a", "b"]) == {"a": b"1", "b": b"2"}


def test_tables_are_written_together_or_not_at_all(place: Path) -> None:
    file = opened(place)
    file.put_all({"rows": [("a", b"1")], "layouts": [("a", b"2")]})
    with sqlite3.connect(place) as connection:
        connection.execute("DROP TABLE layouts")
    file.put_all({"rows": [("b", b"3")], "layouts": [("b", b"4")]})
    assert opened(place).get("rows", ["a", "b"]) == {"a": b"1"}


def test_a_key_may_be_any_text(place: Path) -> None:
    keys = ["plain", "ü", os.fsdecode(b"caf\xe9/"), "\udce9", "\\udce9", "nul\0"]
    opened(place).put("rows", [(key, str(number).encode()) for number, key in enumerate(keys)])
    found = opened(place).get("rows", [*keys, "\udcff"])
    assert found == {key: str(number).encode() for number, key in enumerate(keys)}


@pytest.mark.parametrize("value", ["NULL", "'text'", "CAST(x'ff' AS TEXT)", "5", "x''"])
def test_a_value_of_another_kind_is_none(place: Path, value: str) -> None:
    file = opened(place)
    file.put("rows", [("a", b"1"), ("b", b"2")])
    with sqlite3.connect(place) as connection:
        connection.execute(f"UPDATE rows SET value = {value} WHERE key = 'a'")  # noqa: S608 - ours
    assert opened(place).get("rows", ["a", "b"]) == {"b": b"2"}


def test_what_cannot_be_stored_harms_nothing(place: Path) -> None:
    file = opened(place)
    file.put("rows", [("a", b"1")])
    odd: Any = [("b", None), ("c", "text"), ("d", b"4")]
    file.put("rows", odd)
    assert file.get("rows", "abcd") == {"a": b"1"}


def test_a_folder_whose_name_is_no_text_has_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = RepoBuilder(tmp_path / "p", os.fsdecode(b"caf\xe9"))
    builder.write({"params.yaml": "a: 1\n"})
    subprocess.run(["git", "add", "."], cwd=builder.git_root, check=True)
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run(["git", *who, "commit", "-qm", "one"], cwd=builder.git_root, check=True)
    first = GitStore(builder.root).experiments()
    assert first[-1].params == {"params.yaml": {"a": 1}}
    reads = count_reads(monkeypatch)
    store = GitStore(builder.root)
    assert store.experiments() == first
    assert len(reads) == 1, "the workspace, which is never kept"
    assert store.summaries(first) == [(), ()]


# Rows


def row(**changes: Any) -> CommitRow:
    values: dict[str, Any] = {
        "timestamp": datetime.fromtimestamp(1_700_000_000, UTC),
        "subject": "a subject",
        "status": "done",
        "run_id": None,
        "parent": "p" * 40,
        "params": {"params.yaml": {"a": 1, "b": {"c": [1, 2.5, None, True, "x"]}}},
        "metrics": {"m.json": {"loss": 0.1}},
        "deps": {"data": "f" * 32 + ".dir"},
        "outs": {"model": None},
    }
    return CommitRow(**{**values, **changes})


ODD = {
    "whole numbers as names": {1: "one", False: "no", None: "no", 1.5: "f"},
    "large": 10**400,
    "infinite": [float("inf"), -float("inf")],
    "nested": {"pairs": [["a", "b"]], "deep": {2: {3: [{"x": 1.0}, {4: 1}]}}},
    "one": [1, 1.0, True],
}


@pytest.mark.parametrize("params", [{}, {"p.yaml": {"x": 1e-5}}, {"p.yaml": ODD}, {"p.yaml": None}, {"p.yaml": [1]}])
def test_a_row_comes_back_as_it_was(params: dict[str, Any]) -> None:
    one = row(params=params, missing=("x",), awaited=("ab" * 16,), error="e", status="failed", run_id="r")
    back = decode_row(encode_row(one))
    assert back == one
    assert repr(back.params) == repr(one.params), "1, 1.0 and true are three values"


def test_not_a_number_comes_back() -> None:
    back = decode_row(encode_row(row(metrics={"m.json": {"x": float("nan")}})))
    assert back.metrics["m.json"]["x"] != back.metrics["m.json"]["x"]


def test_two_projects_in_one_repository_have_rows_of_their_own(place: Path) -> None:
    file = opened(place)
    one, other = RowCache(file, "one/", "1"), RowCache(file, "other/", "1")
    one.store({"a" * 40: row(subject="one")})
    assert other.load(["a" * 40]) == {}
    assert one.load(["a" * 40])["a" * 40].subject == "one"


def test_a_row_that_nobody_understands_is_read_again(place: Path) -> None:
    file = opened(place)
    values = {"a": b"=[1,2]", "b": b"=nonsense", "c": b"", "d": b'~{"no": 1}'}
    file.put("rows", ((f"{rev}:1:", value) for rev, value in values.items()))
    assert RowCache(file, "", "1").load("abcd") == {}


# The cache in its place


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    return finetui_project(tmp_path / "p", num_experiments=4)


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is read from Git from now on."""
    from tui.store.values import ValueReader

    reads: list[Any] = []
    read = ValueReader.read

    def counted(self: Any, files: Any, *rest: Any, **named: Any) -> Any:
        reads.append(files)
        return read(self, files, *rest, **named)

    monkeypatch.setattr(ValueReader, "read", counted)
    return reads


def test_a_second_store_reads_only_what_is_new(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = GitStore(builder.root).experiments()
    reads = count_reads(monkeypatch)
    second = GitStore(builder.root)
    assert second.experiments() == first
    assert len(reads) == 1, "the workspace, which is never kept"
    add_experiment(builder, str(builder.repository.head.target), 77)
    assert len(second.experiments()) == len(first) + 1
    assert len(reads) == 3, "the workspace, and the new one"


@pytest.mark.parametrize("changed", ["VERSION", "dvc_version"])
def test_an_upgrade_reads_all_anew(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    first = GitStore(builder.root)
    rows = first.experiments()
    found = first.summaries(rows)
    monkeypatch.setattr(f"tui.store.layouts.key.{changed}", 99 if changed == "VERSION" else lambda: "99.0")
    reads = count_reads(monkeypatch)
    second = GitStore(builder.root)
    assert second.experiments() == rows
    assert len(reads) == len(rows)
    assert second._series.entries(rows) == {}
    assert second.summaries(rows) == found
    assert GitStore(builder.root).experiments() == rows
    assert len(reads) == len(rows) + 1, "the workspace, which is never kept"


def test_git_does_not_see_the_cache(builder: RepoBuilder) -> None:
    GitStore(builder.root).experiments()
    assert (builder.root / CACHE_FOLDER / "rows.sqlite").exists()
    status = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all", "--", ".dvc/tmp/finetui"],
        cwd=builder.root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert status.stdout == ""


def test_a_row_is_read_again_when_what_it_waits_for_has_come(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "p")
    content = b'{"loss": 0.5}'
    md5 = builder.cache(content)
    place = builder.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    place.unlink()
    pipeline = "stages:\n  s:\n    cmd: x\n    metrics:\n    - m.json\n"
    outs = f"    outs:\n    - path: m.json\n      hash: md5\n      md5: {md5}\n      size: 13\n"
    lock = f"schema: '2.0'\nstages:\n  s:\n    cmd: x\n{outs}"
    rev = builder.commit({"dvc.yaml": pipeline, "dvc.lock": lock})

    def metrics(store: GitStore) -> Any:
        found = next(row for row in store.experiments() if row.rev == rev)
        return found.metrics, found.missing

    one = GitStore(builder.root)
    assert metrics(one) == ({}, ("m.json",))
    assert metrics(GitStore(builder.root)) == ({}, ("m.json",)), "from the cache"
    builder.cache(content)
    assert metrics(one) == ({"m.json": {"loss": 0.5}}, ())
    assert metrics(GitStore(builder.root)) == ({"m.json": {"loss": 0.5}}, ()), "without having seen it come"
    place.unlink()
    assert metrics(GitStore(builder.root)) == ({"m.json": {"loss": 0.5}}, ()), "what is known stays known"


def test_rows_with_missing_objects_are_not_kept(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p")
    rev = builder.experiment("bad", str(builder.repository.head.target), {"params.yaml": "a: 77\n"})
    blob = str(builder.repository[rev].tree["params.yaml"].id)
    lost = builder.git_root / ".git/objects" / blob[:2] / blob[2:]
    lost.rename(tmp_path / "lost")

    def bad() -> Any:
        return next(row for row in GitStore(builder.root).experiments() if row.name == "bad")

    assert bad().params == {}
    assert "missing" in (bad().error or "")
    (tmp_path / "lost").rename(lost)
    assert bad().params == {"params.yaml": {"a": 77}}


def test_a_live_store_answers_before_it_has_read_all(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.store.git.commits._LIVE_S", 0.0)
    live = GitStore(builder.root, is_live=True)
    first = live.experiments()
    waiting = [row for row in first if row.is_pending and row.kind == "experiment"]
    assert len(waiting) == 4
    assert all(row.timestamp and row.subject == "an experiment" and row.error is None for row in waiting)
    latest, deadline = first, time.monotonic() + 60
    while any(row.is_pending for row in latest) and time.monotonic() < deadline:
        time.sleep(0.02)
        latest = live.experiments()
    assert latest == GitStore(builder.root).experiments()
    assert latest[-1].metrics
    assert {row.rev: row.timestamp for row in first} == {row.rev: row.timestamp for row in latest}


def test_a_live_store_shows_what_is_kept_at_once(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = GitStore(builder.root).experiments()
    monkeypatch.setattr("tui.store.git.commits._LIVE_S", 0.0)
    assert GitStore(builder.root, is_live=True).experiments() == expected
