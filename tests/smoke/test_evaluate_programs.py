"""evaluate and deploy as programs: one clear message and the right exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(stage: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", f"pipeline.stages.{stage}"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["evaluate", "deploy"])
def test_a_project_without_a_model_gets_one_line(stage: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("{}")
    done = start(stage, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{stage}: data/models/align/model.json: no such file")
    assert "dvc repro" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_wrong_params_are_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("evaluate: {batch_sise: 4, max_new_tokens: 0}\n")
    done = start("evaluate", tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert "did you mean 'batch_size'" in done.stderr
