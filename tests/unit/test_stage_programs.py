"""Stages as programs: wrong params are told at once, a stop is one line and the exit code that shells know."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.contract.stages import STAGES

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PYTHONPATH": f"{ROOT}:.", "PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1"}
HEAVY = ("torch", "transformers", "polars", "numpy")

WAITING = """
import sys
import time

from pipeline.contract.recorder import StageRecorder


def run(params):
    {recording}
        sys.stdout.write("started\\n")
        sys.stdout.flush()
        time.sleep(60)
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_wrong_params_are_told_before_a_library_is_loaded(stage: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("evaluate: {batch_sise: 4, max_new_tokens: 0}\n")
    process = start(tmp_path, "-X", "importtime", "-m", f"pipeline.stages.{stage}")
    _, errors = process.communicate(timeout=60)
    lines = errors.splitlines()
    imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "pipeline.contract.loading" in imported
    assert imported.isdisjoint(HEAVY)
    assert [line for line in lines if line.startswith(f"{stage}: params.yaml: evaluate.")] == lines[-2:]
    assert process.returncode == 2


@pytest.mark.parametrize("recording", ["with StageRecorder('waiting'):", "if True:"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_is_one_line(recording: str, number: signal.Signals, code: int, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").touch()
    (tmp_path / "waiting.py").write_text(WAITING.format(recording=recording))
    process = start(tmp_path, "-c", "from pipeline.contract.main import run_stage; run_stage('waiting')")
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert errors == "waiting: cancelled\n"
    assert process.returncode == code


def test_another_exit_code_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").touch()
    (tmp_path / "leaving.py").write_text("import sys\n\n\ndef run(params):\n    sys.exit(7)\n")
    process = start(tmp_path, "-c", "from pipeline.contract.main import run_stage; run_stage('leaving')")
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 7
