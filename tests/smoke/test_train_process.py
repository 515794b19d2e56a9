"""The train stage as a process of its own: what it imports, how it stops, that it repeats itself."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from pipeline.contract.series import decode_points
from tests.unit import tiny_training

ROOT = Path(__file__).parents[2]
FOREIGN = ("duckdb", "polars", "dvc", "textual", "pygit2", "tui")
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tiny_training.write_project()
    return tmp_path


def write_params(project: Path, **train: Any) -> None:
    value = tiny_training.params(Path("source"), **train).model_dump()
    (project / "params.yaml").write_text(yaml.safe_dump(value))


def start(project: Path, **variables: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.stages.train"],
        cwd=project,
        env=environment | ENVIRONMENT | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def points(project: Path) -> list[dict[str, Any]]:
    path = project / "data/metrics/train/series.jsonl"
    return list(decode_points(path.read_bytes())) if path.exists() else []


def record(project: Path) -> dict[str, Any]:
    return dict(json.loads((project / "data/metrics/train/run.json").read_bytes()))


def wait_for_points(project: Path, process: subprocess.Popen[str], count: int) -> None:
    deadline = time.monotonic() + 120
    while len(points(project)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_training_is_cancelled_with_its_points(project: Path, number: signal.Signals, code: int) -> None:
    write_params(project, max_steps=100_000, eval_fraction=1.0)
    process = start(project)
    wait_for_points(project, process, 5)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (code, "train: cancelled\n")
    assert not psutil.pid_exists(process.pid)
    steps = [point["step"] for point in points(project)]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) >= 5
    stopped = record(project)
    assert (stopped["status"], stopped["error"], stopped["step"]) == ("cancelled", None, steps[-1])
    assert not (project / "data/models/train").exists()


@pytest.mark.slow
def test_a_failed_training_says_why_in_one_line_and_in_its_record(project: Path) -> None:
    write_params(project)
    (project / "data/prepared/train.parquet").unlink()
    process = start(project)
    _, errors = process.communicate(timeout=120)
    line = "data/prepared/train.parquet: no such file; run the prepare stage: dvc repro prepare"
    assert errors.strip().splitlines() == [f"train: {line}"]
    assert process.returncode == 1
    assert (record(project)["status"], record(project)["error"]) == ("failed", line)


@pytest.mark.slow
def test_processes_with_other_environments_give_equal_bits(project: Path) -> None:
    write_params(project, peft="lora")
    results = []
    for variables in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "OMP_NUM_THREADS": "2"}):
        process = start(project, **variables)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        files = sorted((project / "data/models/train").rglob("*"))
        results.append({str(path): path.read_bytes() for path in files if path.is_file()})
        results[-1]["metrics"] = (project / "data/metrics/train/metrics.json").read_bytes()
    assert results[0] == results[1]
    assert len(results[0]) == 4


@pytest.mark.slow
def test_the_stage_imports_none_of_the_tui_and_its_engines() -> None:
    code = (
        "import sys, pipeline.stages.train, pipeline.training.sft, pipeline.training.saving;"
        f"print([name for name in {FOREIGN!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
