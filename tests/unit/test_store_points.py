"""Tables and documents with series, as all kinds of programs write them."""

import csv
import io
import json
import math
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.store_repos import Content, RepoBuilder, lock
from tui.core.series import Recording, UnreadFile, why_no_curves
from tui.store import GitStore
from tui.store.layouts.layout import OutFile
from tui.store.series.sources import Source
from tui.store.series.table_points import TableDecoder
from tui.store.series.tail import Tail
from tui.store.sql.query import QueryEngine

Points = dict[str, list[tuple[float, float]]]


def points(recording: Recording) -> Points:
    return {one.name: list(zip(one.steps, one.values, strict=True)) for one in recording.series}


def decode(data: bytes | str, path: str = "logs.csv", x: str | None = None, y: tuple[str, ...] = ()) -> Points:
    source = Source(path, "s", None, OutFile(None, False, x, y))
    return points(source.decode(data.encode() if isinstance(data, str) else data))


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ("step,a\n1,2\n", {"a": [(1, 2)]}),
        ("\ufeffstep,a\r\n1,2\r\n\r\n2,3", {"a": [(1, 2), (2, 3)]}),
        ("step,a\r1,2\r2,3\r", {"a": [(1, 2), (2, 3)]}),
        ('"step","a, b"\n1,"2"\n', {"a, b": [(1, 2)]}),
        ('step,a,note\n1,2,"two\nlines, and ""quotes"""\n2,3,\u2028\n', {"a": [(1, 2), (2, 3)]}),
        ("step,a\n", {}),
        ("step,a", {}),
        ("", {}),
        ("\n\n", {}),
        ("step,a\n1,2\n3\n4,5,6\n7,8\n", {"a": [(1, 2), (7, 8)]}),
        ("step,a,b\n1,,3\n2,2,\n", {"a": [(2, 2)], "b": [(1, 3)]}),
        ("step,a\n1,nan\n2,-inf\n3,1e999\n4,5\n", {"a": [(1, math.nan), (2, math.nan), (3, math.nan), (4, 5)]}),
        ("step,a\nnan,1\n,2\n3,4\n", {"a": [(3, 4)]}),
        ("step,a\n1,10\n,20\n3,30\n", {"a": [(1, 10), (3, 30)]}),
        ("step,a\n1,1e999\n2,1e400\n", {"a": [(1, math.nan), (2, math.nan)]}),
        ("a,b\n1,x\n2,y\n", {"a": [(0, 1), (1, 2)]}),
        ("date,a\n2024-01-01,5\n2024-01-02,6\n", {"a": [(0, 5), (1, 6)]}),
        ("epoch,a,a\n1,2,3\n", {"a": [(1, 2)]}),
        ("step,id\n1,1_0\n2,20\n", {"id": [(2, 20)]}),
        ("step,a\n3,30\n1,10\n2,20\n", {"a": [(1, 10), (2, 20), (3, 30)]}),
        ("step,a\n1,1\n2,2\n2,22\n1,11\n", {"a": [(1, 1), (1, 11), (2, 2), (2, 22)]}),
        ("a\n5\n\n6\n", {"a": [(0, 5), (1, 6)]}),
        ("step,a\n1,.5\n2,+2\n3,007\n", {"a": [(1, 0.5), (2, 2), (3, 7)]}),
        ("step,a\0\n1,\x002\n", {"a": [(1, 2)]}),
        ('\ufeff"step","a"\n1,2\n', {"a": [(1, 2)]}),
        ("timestamp,step,time\n17,1,5\n18,2,6\n", {"time": [(1, 5), (2, 6)]}),
        (",a\n0,5\n1,6\n", {"a": [(0, 5), (1, 6)]}),
    ],
)
def test_a_table(table: str, wanted: Points) -> None:
    assert repr(decode(table)) == repr({name: [(float(x), float(y)) for x, y in one] for name, one in wanted.items()})


def test_columns_that_a_plot_names() -> None:
    table = "n,a,b,c\n1,2,3,4\n2,5,6,7\n"
    assert decode(table, x="n", y=("c", "a")) == {"a": [(1, 2), (2, 5)], "c": [(1, 4), (2, 7)]}
    assert decode(table, x="none", y=("b",)) == {"b": [(0, 3), (1, 6)]}
    assert decode(table, x="c", y=("nothing",)).keys() == {"n", "a", "b"}


def test_a_cell_that_is_too_large_for_a_csv_reader() -> None:
    assert decode(f'step,a,note\n1,2,"x"\n2,3,"{"x" * 200_000}"\n3,4,\n') == {"a": [(1, 2), (3, 4)]}


CELLS = st.sampled_from(["", "0", "-1", "2.5", "1e3", "1E-3", ".5", "nan", "x", "1_0", "é", " 7 ", "-", "1e999", "0x1"])
NUMBERS = st.floats().map(repr) | st.integers(-(10**30), 10**30).map(str)


@settings(max_examples=200)
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(CELLS | NUMBERS, min_size=width, max_size=width + 1), max_size=6)
    ),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
@example([["1", "2"], ["2", "", "3"]], True, "\n")
@example([["", "", "", "0"], ["", "", "0", ""]], False, "\n")
def test_whole_columns_are_read_as_cell_by_cell(rows: list[list[str]], has_step: bool, end: str) -> None:
    header = ["step" if has_step else "q", "a", "b", "c"][: len(rows[0]) if rows else 2]
    lines = [",".join(header), *(",".join(row) for row in rows)]
    data = "".join(line + end for line in lines)
    fast, slow = TableDecoder("s"), TableDecoder("s")
    fast.feed(data.encode())
    slow._take_rows(data)
    assert repr(points(fast.result())) == repr(points(slow.result()))


def quoted_table(rows: list[tuple[float, str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [("step", "a", "note"), *((n, v, t) for n, (v, t) in enumerate(rows))]
    )
    return text.getvalue().encode()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-9, 9), st.text(alphabet='a",\n é', max_size=6)), max_size=6),
    st.lists(st.integers(0, 120), max_size=8),
)
def test_any_prefix_of_a_table_is_a_prefix_of_its_points(
    tmp_path_factory: Any, rows: list[tuple[float, str]], cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("tail") / "logs.csv"
    whole = quoted_table(rows)
    wanted = points(Source("logs.csv", "s").decode(whole)).get("a", [])
    assert wanted == [(n, value) for n, (value, _) in enumerate(rows)]
    tail = Tail(path, partial(TableDecoder, "s"))
    for cut in [*sorted(cuts), len(whole)]:
        path.write_bytes(whole[:cut])
        seen = points(tail.read()).get("a", [])
        assert seen == wanted[: len(seen)]
        assert len(seen) >= len(quoted_rows(whole[:cut])) - 1
    assert seen == wanted


def quoted_rows(data: bytes) -> list[bytes]:
    """Complete rows: a line end inside of quotes is none."""
    found, start = [], 0
    for place, byte in enumerate(data):
        if byte == 10 and data[start : place + 1].count(b'"') % 2 == 0:
            found.append(data[start:place])
            start = place + 1
    return found


def test_a_lone_quote_does_not_hold_a_table_for_ever() -> None:
    decoder = TableDecoder("s")
    decoder.feed(b'step,a,inch\n1,2,5"\n')
    assert points(decoder.result()) == {}
    for step in range(2, 4_000):
        decoder.feed(b"%d,3,a rather wide value\n" % step)
    assert len(points(decoder.result())["a"]) > 3_000


def test_a_live_table_that_is_large_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.store.series.tail._CHUNK_BYTES", 50)
    path = tmp_path / "logs.csv"
    rows = "".join(f"{step},{step * 2}\n" for step in range(100))
    path.write_text(f"step,a\n{rows}100,")
    tail = Tail(path, partial(TableDecoder, "s"))
    assert points(tail.read()) == {"a": [(step, step * 2) for step in range(100)]}
    with path.open("a") as file:
        file.write("200\n")
    assert points(tail.read())["a"][-1] == (100, 200)


DOCUMENT = {"name": "x", "curves": {"roc": [{"fpr": 0, "tpr": 0.5}, {"fpr": 1, "tpr": 1}], "plain": [1, 2]}}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("roc.json", json.dumps(DOCUMENT)),
        ("roc.yaml", "name: x\ncurves:\n  plain: [1, 2]\n  roc:\n  - {fpr: 0, tpr: 0.5}\n  - fpr: 1\n    tpr: 1\n"),
        ("roc.yml", json.dumps(DOCUMENT)),
        ("roc.toml", "name = 'x'\n[curves]\nroc = [{fpr = 0, tpr = 0.5}, {fpr = 1, tpr = 1}]\n"),
    ],
)
def test_a_document(path: str, text: str) -> None:
    assert decode(text, path, x="fpr") == {"tpr": [(0, 0.5), (1, 1)]}
    assert decode(text, path) == {"fpr": [(0, 0), (1, 1)], "tpr": [(0, 0.5), (1, 1)]}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            '[{"step": 1, "a": 2}, 5, {"step": 2, "b": "x", "a": true}, {"a": 3}, {"step": 4, "a": NaN}]',
            {"a": [(1, 2), (4, math.nan)]},
        ),
        (
            '{"one": [{"step": 1, "a": 2}], "two": [{"b": 3}, {"step": 2, "b": 4}]}',
            {"a": [(1, 2)], "b": [(1, 3), (2, 4)]},
        ),
        ('[{"day": "monday", "a": 1}, {"day": "tuesday", "a": 2}]', {"a": [(0, 1), (1, 2)]}),
        ('[{"a": 1}, {"step": 5, "a": 2}]', {"a": [(5, 2)]}),
        ('[7, {"step": 5, "a": 2}]', {"a": [(5, 2)]}),
        ('[{"a": 1', {}),
        ('{"a": 1}', {}),
        ("[]", {}),
        ("3", {}),
        ('[{"step": 1, "a": 1' + "0" * 400 + "}]", {}),
    ],
)
def test_a_document_of_another_kind(text: str, wanted: Points) -> None:
    x = "day" if "day" in text else None
    assert repr(decode(text, "a.json", x)) == repr({k: [(float(s), float(v)) for s, v in p] for k, p in wanted.items()})


@given(st.binary(max_size=80) | st.text(alphabet='step,\t\n"0123456789.e-nai\r\0{}[]:', max_size=80).map(str.encode))
def test_no_bytes_make_any_source_raise(data: bytes) -> None:
    for path in ("a.csv", "a.tsv", "a.json", "a.yaml", "a.toml", "a.jsonl"):
        for one in Source(path, "s", None, OutFile(None, False, "step", ("a",))).decode(data).series:
            assert len(one.steps) == len(one.values) > 0
            assert all(map(math.isfinite, one.steps))


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    return RepoBuilder(tmp_path / "repo")


def series(builder: RepoBuilder, rev: str = "HEAD") -> dict[tuple[str, str], list[tuple[float, float]]]:
    return series_of(GitStore(builder.root), rev)


def series_of(store: GitStore, rev: str) -> dict[tuple[str, str], list[tuple[float, float]]]:
    found = store.series(store.resolve(rev))
    return {(one.stage, one.name): list(zip(one.steps, one.values, strict=True)) for one in found}


LIVE = "timestamp\tstep\tloss\n1700000000\t0\t2\n1700000001\t1\t1\n"


def test_dvclive_is_found_wherever_it_writes(builder: RepoBuilder) -> None:
    wanted = [(0, 2), (1, 1)]
    builder.commit({f"{folder}plots/metrics/train/loss.tsv": LIVE for folder in ("", "dvclive/", "runs/a/", "runs/b/")})
    folders = ("dvclive", "runs/a", "runs/b")
    assert series(builder) == {(folder, "train/loss"): wanted for folder in folders}
    builder.commit({"dvclive/plots/metrics/train/loss.tsv": None})
    assert ("dvclive", "train/loss") in series(builder)
    builder.checkout()
    (builder.root / "runs/new/plots/metrics").mkdir(parents=True)
    (builder.root / "runs/new/plots/metrics/acc.tsv").write_text("step\tacc\n0\t1\n")
    assert series(builder, "workspace")["runs/new", "acc"] == [(0, 1)]


def test_dvclive_in_the_dvc_cache_as_a_whole(builder: RepoBuilder) -> None:
    content = {"plots/metrics/train/loss.tsv": LIVE.encode(), "metrics.json": b'{"loss": 1}'}
    folder = builder.cache_folder(content)
    pipeline = "stages:\n  train:\n    cmd: x\n    outs:\n    - results/dvclive\n"
    builder.commit({"dvc.yaml": pipeline, "dvc.lock": lock({"train": {"results/dvclive": folder}})})
    assert series(builder) == {("results/dvclive", "train/loss"): [(0, 2), (1, 1)]}


def test_a_plots_folder_in_the_dvc_cache(builder: RepoBuilder) -> None:
    folder = builder.cache_folder(
        {
            "loss.csv": b"n,loss\n1,2\n",
            "deep/acc.json": b'[{"n": 3, "acc": 4}]',
            "picture.png": b"\x89PNG",
            "cm.txt": b"1",
        }
    )
    pipeline = (
        "stages:\n  train:\n    cmd: x\n    outs:\n    - results\n"
        "plots:\n- results/curves:\n    x: n\n- results:\n    x: n\n- results/gone.csv\n"
    )
    builder.commit({"dvc.yaml": pipeline, "dvc.lock": lock({"train": {"results": folder}})})
    assert series(builder) == {("results/loss", "loss"): [(1, 2)], ("results/deep/acc", "acc"): [(3, 4)]}


def test_axes_as_dvc_allows_them(builder: RepoBuilder) -> None:
    table = "n,m,a,b\n1,5,2,3\n"
    pipeline = (
        "stages:\n  s:\n    cmd: x\n    plots:\n    - stage.csv: {x: n, y: a, cache: false}\n"
        "    - bare.csv: {x: '0', header: false, cache: false}\n"
        "plots:\n- one.csv: {x: n, y: a}\n- two.csv: {x: n, y: [a, b]}\n"
        "- both:\n    x: n\n    y: {three.csv: b, four.csv: [a, b]}\n"
        "- own:\n    x: {five.csv: m}\n    y: {five.csv: a}\n- six.csv\n- more:\n    x: n\n    y: {three.csv: a}\n"
    )
    pipeline += (
        "- apart:\n    x: {times.csv: at}\n    y: {loss.json: loss, acc.csv: acc}\n"
        "- pairs:\n    x: {t1.tsv: at, t2.tsv: at}\n    y: {v1.csv: v, v2.csv: v}\n"
        "- alone.csv:\n    x: {times.csv: at}\n    y: v\n"
        "- lost.csv:\n    x: {gone.csv: at}\n    y: v\n"
    )
    apart = {
        "times.csv": "step,at\n0,10\n1,30\n2,20\n", "loss.json": '[{"loss": 1}, {"loss": 2}, {"loss": 3}]',
        "acc.csv": "step,acc\n7,0.5\n8,0.75\n", "t1.tsv": "at\n5\n", "t2.tsv": "at\n6\n",
        "v1.csv": "v\n1\n", "v2.csv": "v\n2\n", "alone.csv": "v\n9\n", "lost.csv": "v\n9\n",
    }  # fmt: skip
    names = ("stage", "one", "two", "three", "four", "five", "six")
    bare = {"bare.csv": "1,5\n2,6\n"}
    builder.commit({"dvc.yaml": pipeline, **{f"{name}.csv": table for name in names}, **bare, **apart})
    assert series(builder) == {
        ("stage", "a"): [(1, 2)],
        ("one", "a"): [(1, 2)],
        ("two", "a"): [(1, 2)],
        ("two", "b"): [(1, 3)],
        ("three", "b"): [(1, 3)],
        ("three", "a"): [(1, 2)],
        ("bare", "1"): [(1, 5), (2, 6)],
        ("four", "a"): [(1, 2)],
        ("four", "b"): [(1, 3)],
        ("five", "a"): [(5, 2)],
        ("loss", "loss"): [(10, 1), (20, 3), (30, 2)],
        ("acc", "acc"): [(10, 0.5), (30, 0.75)],
        ("v1", "v"): [(5, 1)],
        ("v2", "v"): [(6, 2)],
        ("alone", "v"): [(10, 9)],
        ("six", "n"): [(0, 1)],
        ("six", "m"): [(0, 5)],
        ("six", "a"): [(0, 2)],
        ("six", "b"): [(0, 3)],
    }


def test_an_axis_in_another_file_of_a_work_tree_is_followed(builder: RepoBuilder) -> None:
    pipeline = "plots:\n- p:\n    x: {times.csv: at}\n    y: {loss.csv: loss}\n"
    builder.commit({"dvc.yaml": pipeline, "times.csv": "at\n10\n", "loss.csv": "loss\n1\n2\n"})
    builder.checkout()
    store = GitStore(builder.root)
    for written, wanted in (("", [10]), ("30\n", [10, 30])):
        with (builder.root / "times.csv").open("a") as file:
            file.write(written)
        (found,) = store.series(store.resolve("workspace"))
        assert (list(found.steps), list(found.values)) == (wanted, [1, 2][: len(wanted)])


def test_files_of_one_name_in_two_folders_are_told_apart(builder: RepoBuilder) -> None:
    pipeline = "plots:\n- train/loss.csv\n- eval/loss.csv\n"
    builder.commit({"dvc.yaml": pipeline, "train/loss.csv": "step,loss\n1,2\n", "eval/loss.csv": "step,loss\n1,3\n"})
    assert series(builder) == {("train/loss", "loss"): [(1, 2)], ("eval/loss", "loss"): [(1, 3)]}


def test_files_that_differ_in_their_suffix_only_are_told_apart(builder: RepoBuilder) -> None:
    pipeline = "plots:\n- run.csv\n- run.json\n- other.csv\n"
    table = "step,loss\n1,2\n"
    files: dict[str, Content] = {"run.csv": table, "run.json": '[{"step": 1, "loss": 3}]', "other.csv": table}
    builder.commit({"dvc.yaml": pipeline, **files})
    assert series(builder) == {
        ("run.csv", "loss"): [(1, 2)],
        ("run.json", "loss"): [(1, 3)],
        ("other", "loss"): [(1, 2)],
    }


@pytest.mark.parametrize("text", ["step,a\n1,2\n2,3", "step,a\r1,2\r2,3\r"])
def test_the_last_line_of_an_old_file_needs_no_end(builder: RepoBuilder, text: str) -> None:
    builder.commit({"dvc.yaml": "plots:\n- logs.csv\n", "logs.csv": text})
    builder.checkout()
    store, place = GitStore(builder.root), builder.root / "logs.csv"
    workspace = store.resolve("workspace")
    place.write_bytes(text.encode())
    just_written = [list(one.steps) for one in store.series(workspace)]
    assert just_written in ([], [[1]])
    os.utime(place, (1, 1))
    assert series(builder) == series_of(store, "workspace") == {("logs", "a"): [(1, 2), (2, 3)]}
    place.write_bytes(f"{text}0".encode() if text.endswith("3") else f"{text}3,4".encode())
    assert [list(one.steps) for one in store.series(workspace)] == just_written
    with place.open("ab") as file:
        file.write(b"\n")
    assert series_of(store, "workspace") == {
        ("logs", "a"): [(1, 2), (2, 30)] if just_written else [(1, 2), (2, 3), (3, 4)]
    }


def test_one_broken_file_does_not_hide_the_others(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = "plots:\n- bad.json\n- huge.csv\n- good.csv\n"
    files = {"bad.json": "{", "huge.csv": "step,a\n" + "1,2\n" * 100, "good.csv": "step,a\n1,2\n"}
    builder.commit({"dvc.yaml": pipeline, **files})
    monkeypatch.setattr("tui.store.git.files.MAX_BYTES", 300)
    assert series(builder) == {("good", "a"): [(1, 2)]}


def unread(builder: RepoBuilder, rev: str = "HEAD") -> str:
    """What the screens tell of files without curves, by a store that is new and by one that knows."""
    (first,), (again,) = ([why_no_curves(one) for one in found] for found in (_unread(builder, rev) for _ in range(2)))
    assert first == again
    return first


def _unread(builder: RepoBuilder, rev: str) -> list[tuple[UnreadFile, ...]]:
    store = GitStore(builder.root)
    return store.unread([store.resolve(rev)])


def test_a_file_in_git_that_is_too_large_is_told(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = json.dumps([{"a": 1.5} for _ in range(2**17)])
    builder.commit({"dvc.yaml": "plots:\n- huge.json\n- good.csv\n", "huge.json": huge, "good.csv": "step,a\n1,2\n"})
    builder.checkout()
    monkeypatch.setattr("tui.store.git.files.MAX_BYTES", 2**20)
    assert unread(builder) == "no curves from huge.json: it has 1.5 MiB, and the limit is 1 MiB"
    assert unread(builder, "workspace") == unread(builder)
    assert series(builder) == {("good", "a"): [(1, 2)]}


def test_a_file_in_the_dvc_cache_that_is_too_large_is_not_read(
    builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    outs = {
        f"{name}.csv": builder.cache(b"step,a\n" + b"1,2\n" * rows) for name, rows in (("huge", 2**18), ("good", 1))
    }
    outs["gone.csv"] = "0f" * 16
    pipeline = "stages:\n  fit:\n    cmd: x\n    plots: [huge.csv, good.csv, gone.csv]\n"
    builder.commit({"dvc.yaml": pipeline, "dvc.lock": lock({"fit": outs})})
    monkeypatch.setattr("tui.store.series.places.MAX_SERIES_BYTES", 2**19)
    assert series(builder) == {("good", "a"): [(1, 2)]}
    huge = "no curves from huge.csv: it has 1 MiB, and the limit is 0.5 MiB"
    assert unread(builder) == f"{huge}; no curves from gone.csv: not in the local DVC cache"
    store = GitStore(builder.root)
    engine, rows = QueryEngine(store), [store.resolve("main")]
    for sql in ("SELECT count(*) FROM series", "SELECT count(*) FROM series_summary"):
        for _ in range(2):
            found = engine.run(sql, rows)
            assert found.rows == ((1,),)
            assert found.notes == (f"main: {huge}",)
    assert engine.run("SELECT count(*) FROM series", []).notes == ()


def test_a_live_document_is_read_again_when_it_changes(builder: RepoBuilder) -> None:
    builder.commit({"dvc.yaml": "plots:\n- live.json:\n    x: n\n"})
    builder.checkout()
    store = GitStore(builder.root)
    row = store.resolve("workspace")
    path = builder.root / "live.json"
    for values in ([1], [1, 2], [7]):
        text = json.dumps([{"n": n, "a": a} for n, a in enumerate(values)])
        for written in (text, text[:-4]):  # the next one is being written
            path.write_text(written)
            (found,) = store.series(row)
            assert list(found.values) == values
    path.unlink()
    assert store.series(row) == []
