"""The recorder tells the truth about every end of a stage."""

import errno
import json
import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract import files
from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder
from pipeline.contract.run_record import decode_run_record
from pipeline.contract.series import decode_points

DIRECTORY = Path("data/metrics/train")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def record() -> dict[str, Any]:
    return dict(json.loads((DIRECTORY / "run.json").read_bytes()))


def steps() -> list[float | None]:
    return [point["step"] for point in decode_points((DIRECTORY / "series.jsonl").read_bytes())]


def fail(reason: str) -> None:
    raise StageError(reason)


def one_step_then(end: Callable[[], None]) -> None:
    with StageRecorder("train") as recorder:
        recorder.log(1, {"train/loss": 2.0})
        end()
        time.sleep(0.1)


def test_a_finished_stage_is_done() -> None:
    with StageRecorder("train", seed=7) as recorder:
        assert record()["status"] == "running"
        assert record()["pid"] == os.getpid()
        recorder.plan(2, "cpu")
        recorder.log(1, {"train/loss": 2.0})
        assert steps() == [1]
        recorder.log(2, {"train/loss": math.nan})
        recorder.finish({"train/loss": math.inf, "train/nested": {"a": 1}}, {"tokens_per_second": 10.0, "other": None})
    assert (record()["status"], record()["seed"], record()["num_steps"], record()["step"]) == ("done", 7, 2, 2)
    assert json.loads((DIRECTORY / "metrics.json").read_bytes()) == {"train/loss": None, "train/nested": {"a": 1}}
    resources = json.loads((DIRECTORY / "resources.json").read_bytes())
    assert sorted(resources) == ["train/duration_s", "train/peak_memory_bytes", "train/tokens_per_second"]
    assert resources["train/tokens_per_second"] == 10.0
    assert resources["train/peak_memory_bytes"] == record()["peak_memory_bytes"] > 1_000_000
    assert (DIRECTORY / "series.csv").read_text().splitlines()[0] == "step,time_s,train/loss"


def test_a_failed_stage_says_why() -> None:
    with pytest.raises(StageError):
        one_step_then(lambda: fail("the loss is no number at step 1"))
    assert (record()["status"], record()["error"]) == ("failed", "the loss is no number at step 1")
    assert steps() == [1]


def test_a_stage_without_result_has_failed() -> None:
    with StageRecorder("train"):
        pass
    assert record()["status"] == "failed"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_stage_is_cancelled(number: signal.Signals) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        one_step_then(lambda: os.kill(os.getpid(), number))
    assert (record()["status"], record()["error"]) == ("cancelled", None)
    assert steps() == [1]
    assert (DIRECTORY / "series.csv").is_file()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_run_replaces_the_first() -> None:
    for _ in range(2):
        with StageRecorder("train") as recorder:
            recorder.log(1, {"train/loss": 2.0})
            recorder.finish({}, {})
    assert steps() == [1]


def test_any_cut_of_the_series_is_a_prefix_of_its_points() -> None:
    with StageRecorder("train") as recorder:
        for step in range(1, 6):
            recorder.log(step, {"train/loss": 1.0 / step})
        recorder.finish({}, {})
    data = (DIRECTORY / "series.jsonl").read_bytes()
    for length in range(len(data)):
        cut = [point["step"] for point in decode_points(data[:length])]
        assert cut == list(range(1, len(cut) + 1))
    assert steps() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"other": 1}', b"\xff"])
def test_a_torn_run_record_is_none(data: bytes) -> None:
    assert decode_run_record(data) is None


DISK_FULL = OSError(errno.ENOSPC, "No space left on device")


def fill_disk(monkeypatch: pytest.MonkeyPatch, names: set[str]) -> None:
    """From now on files with these names cannot be written."""

    def write_or_fail(path: Path, data: bytes) -> None:
        if path.name in names:
            raise DISK_FULL
        write(path, data)

    write = files.write_bytes
    monkeypatch.setattr(files, "write_bytes", write_or_fail)


def on_full_disk(monkeypatch: pytest.MonkeyPatch, names: set[str], end: Callable[[StageRecorder], None]) -> None:
    with StageRecorder("train") as recorder:
        fill_disk(monkeypatch, names)
        end(recorder)


@pytest.mark.parametrize("name", ["series.csv", "run.json"])
def test_a_full_disk_does_not_hide_why_a_stage_failed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(StageError, match="the loss is no number"):
        on_full_disk(monkeypatch, {name}, lambda _: fail("the loss is no number"))
    if name != "run.json":
        assert (record()["status"], record()["error"]) == ("failed", "the loss is no number")


def test_a_full_disk_does_not_hide_a_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        on_full_disk(monkeypatch, {"series.csv"}, lambda _: signal.raise_signal(signal.SIGINT))
    assert record()["status"] == "cancelled"


@pytest.mark.parametrize("name", ["metrics.json", "resources.json", "series.csv"])
def test_a_result_that_cannot_be_written_is_a_failure(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(OSError, match="No space left"):
        on_full_disk(monkeypatch, {name}, lambda recorder: recorder.finish({}, {}))
    assert record()["status"] == "failed"
    assert "No space left on device" in record()["error"]


def test_a_record_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="No space left"):
        on_full_disk(monkeypatch, {"run.json"}, lambda recorder: recorder.finish({}, {}))
