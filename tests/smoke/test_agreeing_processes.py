"""Processes whose figures differ by a rounding decide alike: one that alone had a best step would wait for ever."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.contract import paths
from pipeline.contract.series import decode_points
from tests.unit import tiny_alignment

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
}
# The main process finds its first evaluation best, the other one each later one.
DISAGREE = """
import os

if "FINETUI_SHARED_FOLDER" in os.environ:
    import pipeline.training.greedy as greedy

    measure = greedy.Validation.measure
    rewards = {"0": [1.0, 0.5, 0.25], "1": [1.0, 2.0, 3.0]}[os.environ["RANK"]]
    greedy.Validation.measure = lambda *given: measure(*given) | {"reward": rewards.pop(0)}
"""


@pytest.mark.slow
def test_the_main_process_decides_which_step_is_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_alignment.write_start()
    params = tiny_alignment.params(
        objective="grpo", batch_size=2, num_processes=2, max_steps=3, eval_fraction=0.34
    ).model_dump()
    Path("params.yaml").write_text(yaml.safe_dump(params))
    shutil.copytree(ROOT / "pipeline", "pipeline")
    Path("sitecustomize.py").write_text(DISAGREE)
    command = [sys.executable, "-m", "pipeline.stages.align"]
    environment = ENVIRONMENT | {"PYTHONPATH": str(tmp_path)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stderr
    folder = paths.metrics_dir("align")
    rewards = [point.get("align_validation/reward") for point in decode_points((folder / "series.jsonl").read_bytes())]
    assert [reward for reward in rewards if reward is not None] == [1.0, 0.5, 0.25]
    assert json.loads((folder / "metrics.json").read_bytes())["align/best_step"] == 1
