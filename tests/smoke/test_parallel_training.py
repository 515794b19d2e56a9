"""Two processes on the CPU train what one process with their batches together trains."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from pipeline.contract import paths
from pipeline.contract.series import decode_events, decode_points
from tests.unit import tiny_training

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
}
TRAIN: dict[str, Any] = {"max_steps": 6, "eval_fraction": 0.5, "log_interval_steps": 1}
SHARD_ON_CPU = """
import os

if "FINETUI_SHARED_FOLDER" in os.environ:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedType

    import pipeline.models.preflight

    plugins = []
    begin = AcceleratorState.__init__

    def begin_sharded(self, *arguments, **options):
        begin(self, *arguments, **options)
        if options.get("fsdp_plugin") is not None:
            plugins.append(options["fsdp_plugin"])
        if plugins:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, plugins[0]

    AcceleratorState.__init__ = begin_sharded
    Accelerator.distributed_type = property(lambda _: DistributedType.FSDP)
    Accelerator.is_fsdp2 = property(lambda _: True)
    pipeline.models.preflight.of_processes = lambda *_: []
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tiny_training.write_project()
    # An odd number: the last batch of one process holds a row that another one has counted.
    tiny_training.write_split("validation", 7)
    # Checkpoints are bound to the code; whoever saves a source file while the test runs does not break it.
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline")
    return tmp_path


def start(project: Path, **train: Any) -> subprocess.Popen[str]:
    value = tiny_training.params(Path("source"), **TRAIN | train).model_dump()
    (project / "params.yaml").write_text(yaml.safe_dump(value))
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.stages.train"],
        cwd=project,
        env=ENVIRONMENT | {"PYTHONPATH": str(project)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left_behind(project: Path, **train: Any) -> dict[str, Any]:
    process = start(project, **train)
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    series = (project / "data/metrics/train/series.jsonl").read_bytes()
    samples = (project / "data/samples/train/samples.jsonl").read_text().splitlines()
    return {
        "output": output.splitlines(),
        "metrics": json.loads((project / "data/metrics/train/metrics.json").read_bytes()),
        "points": [{**point, "time_s": 0} for point in decode_points(series)],
        "asked": [(json.loads(line)["step"], json.loads(line)["prompt"]) for line in samples],
        "manifest": json.loads((project / "data/models/train/model.json").read_bytes()),
        "files": sorted(file.name for file in (project / "data/models/train").rglob("*") if file.is_file()),
    }


def numbers(values: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None and not name.endswith("_per_second")}


@pytest.mark.slow
def test_two_processes_train_what_one_does(project: Path) -> None:
    alone = left_behind(project, batch_size=4)
    together = left_behind(project, batch_size=2, num_processes=2)
    assert together["metrics"] == pytest.approx(alone["metrics"], rel=1e-4)
    assert len(together["points"]) == len(alone["points"]) > 6
    for ours, theirs in zip(together["points"], alone["points"], strict=True):
        assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-3, abs=1e-6)
    for name in ("output", "asked", "files", "manifest"):
        assert together[name] == alone[name]
    assert not paths.CHECKPOINTS.exists()


@pytest.mark.slow
@pytest.mark.parametrize("peft", ["lora", "none"])
def test_split_weights_learn_what_whole_ones_do(project: Path, peft: str) -> None:
    """accelerate splits weights over GPUs alone; here it is made to believe that the processes have some."""
    alone = left_behind(project, peft=peft, batch_size=4)
    (project / "sitecustomize.py").write_text(SHARD_ON_CPU)
    split = left_behind(project, peft=peft, batch_size=2, num_processes=2, sharding="fsdp2")
    assert split["metrics"] == pytest.approx(alone["metrics"], rel=1e-4)
    for name in ("output", "asked", "files"):
        assert split[name] == alone[name]
    if peft == "lora":
        assert split["manifest"] == alone["manifest"]


@pytest.mark.slow
def test_stopped_processes_are_gone_and_go_on_from_their_checkpoint(project: Path) -> None:
    undisturbed = left_behind(project, batch_size=2, num_processes=2, max_steps=20, eval_fraction=0.1)
    process = start(project, batch_size=2, num_processes=2, max_steps=20, eval_fraction=0.1)
    deadline = time.monotonic() + 300
    while not any(paths.CHECKPOINTS.glob("*/checkpoint-*/complete.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children())]
    assert len(family) == 3
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (143, "train: cancelled\n")
    assert not any(psutil.pid_exists(pid) for pid in family)
    record = json.loads((project / "data/metrics/train/run.json").read_bytes())
    assert record["status"] == "cancelled"
    resumed = left_behind(project, batch_size=2, num_processes=2, max_steps=20, eval_fraction=0.1)
    events = decode_events((project / "data/metrics/train/series.jsonl").read_bytes())
    assert [event.event for event in events] == ["resumed"]
    assert {**resumed, "output": None, "points": None} == {**undisturbed, "output": None, "points": None}
    assert [numbers(point) for point in resumed["points"]] == [numbers(point) for point in undisturbed["points"]]
