"""Series: from blobs, from the DVC cache, and from files that are being written."""

import json
import math
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract import series as contract
from pipeline.contract.series import encode_point, encode_table
from tests.unit.store_repos import RepoBuilder, finetui_project, lock, make_run
from tui.core.experiments import Experiment
from tui.core.series import Event, Recording, Sample, Series
from tui.store import GitStore
from tui.store.series.points import LinesDecoder
from tui.store.series.table_points import TableDecoder
from tui.store.series.tail import Tail

METRICS = "data/metrics/train"


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    return RepoBuilder(tmp_path / "repo")


def flat(found: list[Series]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    return {(series.stage, series.name): list(zip(series.steps, series.values, strict=True)) for series in found}


def head(builder: RepoBuilder) -> list[Series]:
    store = GitStore(builder.root)
    return store.series(store.resolve("HEAD"))


def test_the_table_of_a_finished_stage(builder: RepoBuilder) -> None:
    table = encode_table(
        [{"step": 5, "time_s": 1.0, "train/loss": 2.5}, {"step": 10, "time_s": 2.0, "validation/loss": 3}]
    )
    builder.commit({"data/metrics/base/series.csv": "step,time_s,train/loss\n1,0,9\n", f"{METRICS}/series.csv": table})
    assert flat(head(builder)) == {
        ("base", "train/loss"): [(1, 9)],
        ("train", "train/loss"): [(5, 2.5)],
        ("train", "validation/loss"): [(10, 3)],
    }


def test_json_lines_count_where_there_is_no_table(builder: RepoBuilder) -> None:
    lines = (
        encode_point(1, 0.1, {"train/loss": math.nan}) + encode_point(2, 0.2, {"train/loss": 1.5}) + b'{"step": 3, "tr'
    )
    builder.commit({f"{METRICS}/series.jsonl": lines})
    ((steps, values),) = [(list(series.steps), list(series.values)) for series in head(builder)]
    assert steps == [1, 2]
    assert math.isnan(values[0])
    assert values[1] == 1.5


def test_a_running_workspace_is_followed(builder: RepoBuilder) -> None:
    builder.commit({"params.yaml": "a: 1\n"})
    store = GitStore(builder.root)
    workspace = store.resolve("workspace")
    builder.write({f"{METRICS}/series.csv": "step,train/loss\n1,7\n"})
    os.utime(builder.root / f"{METRICS}/series.csv", (1, 1))
    assert flat(store.series(workspace)) == {("train", "train/loss"): [(1, 7)]}
    path = builder.root / f"{METRICS}/series.jsonl"
    path.write_text('{"step":1,"train/loss":2}\n{"step":2,"tra')
    assert flat(store.series(workspace)) == {("train", "train/loss"): [(1, 2)]}
    with path.open("a") as file:
        file.write('in/loss":1}\n')
    assert flat(store.series(workspace)) == {("train", "train/loss"): [(1, 2), (2, 1)]}


def test_dvclive_is_read(builder: RepoBuilder) -> None:
    builder.commit(
        {
            "dvclive/plots/metrics/train/acc.tsv": "step\tacc\n0\t0.5\n1\t0.75\n",
            "dvclive/plots/metrics/loss.tsv": "timestamp\tstep\tloss\n17\t0\t2\n18\t1\tnan\n",
            "dvc.yaml": "plots:\n- dvclive/plots/metrics:\n    x: step\n- eval/live/plots/metrics:\n    x: step\n",
            "eval/live/plots/metrics/val/f1.tsv": "step\tf1\n0\t1\n",
        }
    )
    found = flat(head(builder))
    assert found["dvclive", "train/acc"] == [(0, 0.5), (1, 0.75)]
    assert found["eval/live", "val/f1"] == [(0, 1)]
    assert found["dvclive", "loss"][0] == (0, 2)
    assert math.isnan(found["dvclive", "loss"][1][1])
    assert len(found) == 3


def test_plots_of_other_projects_are_read(builder: RepoBuilder) -> None:
    md5 = builder.cache(b"epoch,loss,lr\n1,0.5,0.1\n2,0.25,0.1\n")
    pipeline = (
        "stages:\n  fit:\n    cmd: x\n    plots:\n    - cached.csv:\n        x: epoch\n        y: loss\n"
        "    - roc.json:\n        cache: false\n    - classes.csv:\n        cache: false\n        template: confusion\n"
        "plots:\n- logs.csv:\n    x: iter\n- both:\n    x: n\n    y:\n      more.tsv: [a]\n"
        "- conf.csv:\n    template: confusion\n"
    )
    builder.commit(
        {
            "dvc.yaml": pipeline,
            "dvc.lock": lock({"fit": {"cached.csv": md5}}),
            "roc.json": {"roc": [{"fpr": 0, "tpr": 0.1}, {"fpr": 1, "tpr": "x"}]},
            "logs.csv": "iter,acc,name\n10,0.5,cat\n20,0.75,dog",
            "more.tsv": "n\ta\tb\n1\t2\t3\n",
            "conf.csv": "actual,predicted\n1,0\n",
            "classes.csv": "actual,predicted\n1,0\n",
        }
    )
    assert flat(head(builder)) == {
        ("cached", "loss"): [(1, 0.5), (2, 0.25)],
        ("roc", "fpr"): [(0, 0), (1, 1)],
        ("roc", "tpr"): [(0, 0.1)],
        ("logs", "acc"): [(10, 0.5), (20, 0.75)],
        ("more", "a"): [(1, 2)],
    }


def test_a_run_shows_only_stages_that_have_begun(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p")
    store = GitStore(builder.root)
    run = make_run(builder, str(builder.repository.head.target))
    live = Experiment(run.snapshot, "experiment", run.name, status="running", stage="train", run_id=run.id)
    table = "step,train/loss\n1,9\n"
    builder.write({f"data/metrics/{name}/series.csv": table for name in ("base", "train", "evaluate")}, run.directory)
    assert {series.stage for series in store.series(live, run.directory)} == {"base"}
    builder.write({f"{METRICS}/series.jsonl": '{"step":1,"train/loss":5}\n'}, run.directory)
    assert flat(store.series(live, run.directory))["train", "train/loss"] == [(1, 5)]


def test_a_clone_that_is_gone_leaves_the_commit(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p")
    store = GitStore(builder.root)
    assert len(store.series(store.resolve("HEAD"), tmp_path / "gone")) == 2


class TestTail:
    """One file that grows, shrinks, is replaced."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "series.jsonl"

    def values(self, tail: Tail[Recording]) -> list[float]:
        return [value for series in tail.read().series for value in series.values]

    def lines(self, *values: Any) -> bytes:
        return b"".join(encode_point(step, 0, {"loss": value}) for step, value in enumerate(values))

    def test_only_what_is_new_is_read(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fed: list[int] = []
        feed = LinesDecoder.feed
        monkeypatch.setattr(LinesDecoder, "feed", lambda self, data: (fed.append(len(data)), feed(self, data)))
        tail = Tail(path, partial(LinesDecoder, "train"))
        assert tail.read() == Recording()
        path.write_bytes(self.lines(*range(100)))
        assert len(self.values(tail)) == 100
        with path.open("ab") as file:
            file.write(encode_point(100, 0, {"loss": 7}))
        assert self.values(tail)[-1] == 7
        assert fed[1] == len(encode_point(100, 0, {"loss": 7}))

    def test_nothing_new_gives_the_same_objects(self, path: Path) -> None:
        path.write_bytes(self.lines(1))
        tail = Tail(path, partial(LinesDecoder, "train"))
        assert tail.read() is tail.read()

    def test_values_that_were_given_out_do_not_change(self, path: Path) -> None:
        path.write_bytes(self.lines(1))
        tail = Tail(path, partial(LinesDecoder, "train"))
        before = tail.read()
        path.write_bytes(self.lines(1, 2))
        assert len(tail.read().series[0].values) == 2
        assert len(before.series[0].values) == 1

    def test_a_file_that_shrinks_is_read_anew(self, path: Path) -> None:
        tail = Tail(path, partial(LinesDecoder, "train"))
        path.write_bytes(self.lines(1, 2, 3))
        assert self.values(tail) == [1, 2, 3]
        path.write_bytes(self.lines(4))
        assert self.values(tail) == [4]

    def test_a_file_that_was_written_anew_and_is_longer_already_is_read_anew(self, path: Path) -> None:
        tail = Tail(path, partial(LinesDecoder, "train"))
        path.write_bytes(self.lines(1, 2))
        assert self.values(tail) == [1, 2]
        path.write_bytes(self.lines(3, 4, 5, 6))
        assert self.values(tail) == [3, 4, 5, 6]

    def test_a_file_that_vanishes_has_no_values(self, path: Path) -> None:
        tail = Tail(path, partial(LinesDecoder, "train"))
        path.write_bytes(self.lines(1))
        assert self.values(tail) == [1]
        path.unlink()
        assert tail.read() == Recording()

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.floats() | st.sampled_from([math.nan, math.inf]), max_size=6), st.lists(st.integers(0, 400)))
    def test_any_prefix_decodes_to_a_prefix(self, tmp_path_factory: Any, values: list[float], cuts: list[int]) -> None:
        path = tmp_path_factory.mktemp("tail") / "series.jsonl"
        whole = self.lines(*values)
        tail = Tail(path, partial(LinesDecoder, "train"))
        for cut in [*sorted(cuts), len(whole)]:
            path.write_bytes(whole[:cut])
            complete = whole[:cut].count(b"\n")
            seen = self.values(tail)
            assert len(seen) == complete
            for got, wanted in zip(seen, values, strict=False):
                assert got == wanted or (math.isnan(got) and not math.isfinite(wanted))


@given(st.binary(max_size=60) | st.text(alphabet='step,\t\n"0123456789.e-nai\0', max_size=60).map(str.encode))
def test_no_bytes_make_a_decoder_raise(data: bytes) -> None:
    for decoder in (LinesDecoder("s"), TableDecoder("s"), TableDecoder("s", None, "\t", "step", ("a",))):
        decoder.feed(data)
        for series in decoder.result().series:
            assert len(series.steps) == len(series.values)


def test_points_of_odd_types_are_skipped(builder: RepoBuilder) -> None:
    points = [{"step": "x", "a": 1}, {"step": 1, "a": "text", "b": [1], "c": 2}, {"step": None, "a": 1}, [1], 3]
    builder.commit({f"{METRICS}/series.jsonl": "".join(json.dumps(point) + "\n" for point in points)})
    assert flat(head(builder)) == {("train", "c"): [(1, 2)]}


SPIKE = contract.Event(7, 1.5, "spike", "warn", 'train/loss 9.1, eight times above the last 20, or "nan"')


def test_events_stand_beside_the_series_in_both_formats(builder: RepoBuilder) -> None:
    points = [{"step": 5, "time_s": 1.0, "train/loss": 2.5}, {"step": 10, "time_s": 2.0, "train/loss": 2.0}]
    lines = b"".join(encode_point(point["step"], 1.0, {"align/kl": 0.5}) for point in points)
    builder.commit(
        {
            f"{METRICS}/series.csv": encode_table(points, [SPIKE]),
            "data/metrics/align/series.jsonl": lines + contract.encode_event(SPIKE) + b'{"step": 9, "event": "kl"',
        }
    )
    store = GitStore(builder.root)
    row = store.resolve("HEAD")
    wanted = [Event(stage, 7, 1.5, "spike", "warn", SPIKE.message) for stage in ("train", "align")]
    assert store.events(row) == wanted
    assert flat(store.series(row)) == {
        ("train", "train/loss"): [(5, 2.5), (10, 2.0)],
        ("align", "align/kl"): [(5, 0.5), (10, 0.5)],
    }
    assert store.query("SELECT stage, step, time_s, event, action, message FROM events").rows == tuple(
        (one.stage, 7, 1.5, "spike", "warn", SPIKE.message) for one in wanted
    )


def test_a_column_of_another_make_that_is_called_event_stays_a_column(builder: RepoBuilder) -> None:
    builder.commit({"dvc.yaml": "plots:\n- logs.csv\n", "logs.csv": "step,event\n1,0.5\n"})
    assert flat(head(builder)) == {("logs", "event"): [(1, 0.5)]}
    assert GitStore(builder.root).events(GitStore(builder.root).resolve("HEAD")) == []


def sample(step: int, prediction: Any) -> bytes:
    value = {"step": step, "prompt": "list files", "reference": "ls", "prediction": prediction}
    return json.dumps(value).encode() + b"\n"


def test_samples_of_a_commit_come_from_the_cache(builder: RepoBuilder) -> None:
    lines = sample(0, "rm") + b"[1]\n" + sample(5, None) + sample(10, "ls") + b'{"step": 1'
    folder = builder.cache_folder({"samples.jsonl": lines})
    pipeline = "stages:\n  train:\n    cmd: x\n    outs:\n    - data/samples/train\n"
    builder.commit({"dvc.yaml": pipeline, "dvc.lock": lock({"train": {"data/samples/train": folder}})})
    store = GitStore(builder.root)
    wanted = [Sample("train", step, "list files", "ls", said) for step, said in ((0, "rm"), (10, "ls"))]
    assert store.samples(store.resolve("HEAD")) == wanted
    rows = store.query("SELECT stage, step, prompt, reference, prediction FROM samples WHERE name = 'main'").rows
    assert rows == tuple((one.stage, one.step, one.prompt, one.reference, one.prediction) for one in wanted)


def test_samples_of_a_run_are_followed(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p")
    store = GitStore(builder.root)
    run = make_run(builder, str(builder.repository.head.target))
    live = Experiment(run.snapshot, "experiment", run.name, status="running", stage="train", run_id=run.id)
    assert store.samples(live, run.directory) == []
    written = {f"data/samples/{stage}/samples.jsonl": sample(0, stage) for stage in ("train", "align")}
    builder.write(written, run.directory)
    assert [one.prediction for one in store.samples(live, run.directory)] == ["train"]
    with (run.directory / "data/samples/train/samples.jsonl").open("ab") as file:
        file.write(sample(5, "new") + sample(10, "torn")[:20])
    assert [one.prediction for one in store.samples(live, run.directory)] == ["train", "new"]
