"""What is read from growing files: DVC's log, its text, the series of a stage."""

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.dvc.logscan import Event, LogScanner, last_error
from tui.dvc.logtext import read_text
from tui.dvc.progress import read_progress
from tui.dvc.record import RunSpec, RunStatus, StageNote
from tui.dvc.supervisor import note_event

_LOG = """'data/raw.dvc' didn't change, skipping
Stage 'base' didn't change, skipping
Stage 'prepare' is cached - skipping run, checking out outputs

Running stage 'train@en':
> python train.py
  Running stage 'indented':
ERROR: failed to reproduce 'train@en': failed to run: python train.py, exited with 1
"""
_EVENTS: list[Event] = [("base", "skipped"), ("prepare", "restored"), ("train@en", "running")]


def test_each_line_that_names_a_stage_is_one_event(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    scanner = LogScanner(log)
    assert scanner.new_events() == []
    events = []
    for start in range(0, len(_LOG), 7):
        with log.open("a") as file:
            file.write(_LOG[start : start + 7])
        events += scanner.new_events()
    assert events == _EVENTS
    assert (last_error(log) or "").startswith("failed to reproduce 'train@en'")


def test_no_log_has_no_error(tmp_path: Path) -> None:
    assert last_error(tmp_path / "log.txt") is None


@given(text=st.text(alphabet="aß€🦉\n", max_size=40), size=st.integers(1, 5))
def test_no_character_of_a_growing_log_is_split(text: str, size: int) -> None:
    data = text.encode()
    read, offset = "", 0
    with NamedTemporaryFile() as log:
        for end in range(0, len(data) + size, size):
            Path(log.name).write_bytes(data[:end])
            piece, offset = read_text(Path(log.name), offset)
            read += piece
    assert read == text
    assert offset == len(data)


def test_bytes_that_are_no_text_do_not_stop_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"a\xff\xffb\n")
    assert read_text(path, 0) == ("a\ufffd\ufffdb\n", 5)
    assert read_text(tmp_path / "none", 3) == ("", 3)


def test_a_supervisor_that_takes_over_counts_no_stage_twice() -> None:
    status = RunStatus()
    for now, (stage, happening) in enumerate([*_EVENTS, *_EVENTS]):
        note_event(status, stage, happening, float(now))
    assert [note.status for note in status.stages.values()] == ["cached", "cached", "running"]
    assert [note.started for note in status.stages.values()] == [0.0, 1.0, 2.0]
    assert [note.is_restored for note in status.stages.values()] == [False, True, False]
    note_event(status, "evaluate", "running", 9.0)
    assert (status.stages["train@en"].status, status.stages["train@en"].ended) == ("done", 9.0)


def _spec(started_at: str) -> RunSpec:
    return RunSpec("id", "name", ".", "b" * 40, "c" * 40, started_at, stages=["prepare", "train", "evaluate"])


def test_progress_comes_from_the_files_of_this_run(tmp_path: Path) -> None:
    folder = tmp_path / "data/metrics/train"
    folder.mkdir(parents=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"stage": "train", "status": "running", "started_at": now, "num_steps": 40}
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "series.jsonl").write_text('{"step": 9, "time_s": 1}\n{"step": 10, "time_s": 2}\n{"step": 1')
    status = RunStatus(stages={"prepare": StageNote("cached", 1.0), "train": StageNote("running", 1.0)})
    prepare, train, evaluate = read_progress(tmp_path, _spec(now), status)
    assert (prepare.status, prepare.fraction) == ("cached", 1.0)
    assert (train.status, train.step, train.num_steps, train.fraction) == ("running", 10, 40, 0.25)
    assert (evaluate.status, evaluate.step) == ("waiting", 0)


def test_a_record_of_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "data/metrics/train"
    folder.mkdir(parents=True)
    record = {
        "stage": "train",
        "status": "done",
        "started_at": "2020-01-01T00:00:00+00:00",
        "num_steps": 40,
        "step": 40,
    }
    (folder / "run.json").write_text(json.dumps(record))
    status = RunStatus(stages={"train": StageNote("running", datetime.now(UTC).timestamp())})
    train = read_progress(tmp_path, _spec(datetime.now(UTC).isoformat()), status)[1]
    assert (train.status, train.step, train.num_steps) == ("running", 0, None)


def test_stages_made_from_a_template_stand_where_it_is_declared(tmp_path: Path) -> None:
    status = RunStatus(stages={"train@en": StageNote("done", 1.0, 2.0), "train@de": StageNote("running", 2.0)})
    names = [part.stage for part in read_progress(tmp_path, _spec(datetime.now(UTC).isoformat()), status)]
    assert names == ["prepare", "train@en", "train@de", "evaluate"]


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("ERROR: lock is taken\n", "lock is taken"),
        ("> python x.py\nERROR: failed to reproduce 'x'\n", "failed to reproduce 'x'"),
        (
            "Running stage 'x':\n> python x.py\nTraceback\nImportError: no torch\nERROR: failed to reproduce 'x'\n\n",
            "ImportError: no torch (failed to reproduce 'x')",
        ),
    ],
)
def test_the_last_words_of_a_stage_come_with_the_error(tmp_path: Path, log: str, error: str) -> None:
    path = tmp_path / "log.txt"
    path.write_text(log)
    assert last_error(path) == error
