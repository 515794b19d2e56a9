"""Several processes for one stage: how they are started, who speaks, how errors and signals end all of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler, SequentialSampler

from pipeline.contract import launching
from pipeline.contract.loading import check_params
from pipeline.training.checkpoints import checkpoint_folder
from pipeline.training.sampling import LengthBucketSampler, step_size
from pipeline.training.shared_rows import OwnRows

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PYTHONPATH": f"{ROOT}:.", "PATH": "/usr/bin:/bin"}
PARAMS = "train: {num_processes: 2, batch_size: 2}\n"
STAGE = """
from pipeline.contract.main import run_stage

if __name__ == "__main__":
    run_stage("fake.train")

import os
import signal
import sys
import time
from pathlib import Path

from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder


def run(params):
    rank = os.environ.get("RANK", "alone")
    with StageRecorder("train") as recorder:
        sys.stdout.write(f"{rank} of {os.environ.get('WORLD_SIZE')} speaks\\n")
        sys.stdout.flush()
        recorder.log(1, {"train/loss": 1.0})
        Path(f"pid-{rank}").write_text(str(os.getpid()))
        while rank != "alone" and not all(Path(f"pid-{other}").exists() for other in (0, 1)):
            time.sleep(0.01)
        BODY
        recorder.finish({"train/rank": 0 if rank == "alone" else int(rank)}, {})
"""


def start(folder: Path, body: str = "pass", params: str = PARAMS) -> subprocess.Popen[str]:
    (folder / "params.yaml").write_text(params)
    (folder / "fake").mkdir()
    (folder / "fake/train.py").write_text(STAGE.replace("BODY", body))
    return subprocess.Popen(
        [sys.executable, "-m", "fake.train"],
        cwd=folder,
        env=ENVIRONMENT | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def record(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "data/metrics/train/run.json").read_bytes()))


def wait_for_pids(folder: Path) -> list[int]:
    files = [folder / "pid-0", folder / "pid-1"]
    deadline = time.monotonic() + 60
    while not all(file.is_file() and file.read_text() for file in files):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(file.read_text()) for file in files]


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 60
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_process_speaks_and_writes(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert process.communicate(timeout=60) == ("0 of 2 speaks\n", "")
    assert process.returncode == 0
    assert json.loads((tmp_path / "data/metrics/train/metrics.json").read_bytes()) == {"train/rank": 0}
    assert len((tmp_path / "data/metrics/train/series.jsonl").read_bytes().splitlines()) == 1
    found = record(tmp_path)
    assert found["status"] == "done"
    assert found["pid"] == int((tmp_path / "pid-0").read_text()) != process.pid
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data", "fake", "params.yaml", "pid-0", "pid-1"]


@pytest.mark.parametrize("params", ["", "train: {objective: none, num_processes: 2}\n"])
def test_a_stage_that_needs_one_process_is_that_process(params: str, tmp_path: Path) -> None:
    process = start(tmp_path, params=params)
    assert process.communicate(timeout=60) == ("alone of None speaks\n", "")
    assert int((tmp_path / "pid-alone").read_text()) == process.pid


@pytest.mark.parametrize(
    ("body", "told", "recorded"),
    [
        ("if rank == '0': raise StageError('broken')\n        time.sleep(60)", "train: broken\n", "broken"),
        (
            "if rank == '1': raise StageError('broken')\n        time.sleep(60)",
            "process 1: train: broken\n",
            "process 1: train: broken",
        ),
        (
            "if rank == '1': os.kill(os.getpid(), signal.SIGKILL)\n        time.sleep(60)",
            "process 1 was ended by SIGKILL; SIGKILL often means that memory ran out\n",
            "process 1 was ended by SIGKILL; SIGKILL often means that memory ran out",
        ),
        (
            "if rank == '0': os.kill(os.getpid(), signal.SIGKILL)\n        time.sleep(60)",
            "process 0 was ended by SIGKILL; SIGKILL often means that memory ran out\n",
            "process 0 was ended by SIGKILL; SIGKILL often means that memory ran out",
        ),
    ],
)
def test_an_error_of_one_ends_all(body: str, told: str, recorded: str, tmp_path: Path) -> None:
    process = start(tmp_path, body)
    output, errors = process.communicate(timeout=60)
    assert (output, errors) == ("0 of 2 speaks\n", told)
    assert process.returncode == 1
    assert (record(tmp_path)["status"], record(tmp_path)["error"]) == ("failed", recorded)
    wait_until_gone(wait_for_pids(tmp_path))


def test_wrong_params_start_no_process(tmp_path: Path) -> None:
    process = start(tmp_path, params="train: {num_processes: 2, batch_sise: 2}\n")
    output, errors = process.communicate(timeout=60)
    assert output == ""
    assert errors.startswith("train: params.yaml: train.batch_sise")
    assert process.returncode == 2
    assert not (tmp_path / "pid-0").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_leaves_no_process(number: signal.Signals, code: int, tmp_path: Path) -> None:
    process = start(tmp_path, "time.sleep(60)")
    pids = wait_for_pids(tmp_path)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert errors == "train: cancelled\n"
    assert process.returncode == code
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert record(tmp_path)["status"] == "cancelled"


def test_processes_follow_a_killed_launcher(tmp_path: Path) -> None:
    process = start(tmp_path, "time.sleep(60)")
    pids = wait_for_pids(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    wait_until_gone(pids)
    assert record(tmp_path)["status"] == "cancelled"


def test_others_take_the_folder_that_the_main_process_chose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = check_params({})
    with checkpoint_folder(params, "train", []) as held:
        shared_folder = tmp_path / "shared"
        shared_folder.mkdir()
        monkeypatch.setenv("FINETUI_SHARED_FOLDER", str(shared_folder))
        monkeypatch.setenv("RANK", "0")
        with checkpoint_folder(params, "train", []) as private:
            assert private != held
            monkeypatch.setenv("RANK", "1")
            assert not launching.is_main_process()
            with checkpoint_folder(params, "train", []) as other:
                assert other == private
            assert private.is_dir()
            monkeypatch.setenv("RANK", "0")


@pytest.mark.parametrize("num_rows", [1, 3, 7, 8, 9, 12, 16, 17])
@pytest.mark.parametrize("num_processes", [1, 2, 3])
def test_every_validation_row_is_counted_once(num_rows: int, num_processes: int) -> None:
    batch_size, counted = 4, []
    for rank in range(num_processes):
        args = SimpleNamespace(world_size=num_processes, process_index=rank, eval_batch_size=batch_size)
        own: Any = OwnRows(SimpleNamespace(args=args, eval_dataset=range(num_rows)))
        for batch in deal(range(num_rows), batch_size, num_processes, rank):
            counted += batch[: own.next_batch()]
    assert sorted(counted) == list(range(num_rows))


def test_a_step_of_all_processes_has_rows_of_like_length() -> None:
    lengths = [7 * row % 48 for row in range(48)]
    args = SimpleNamespace(train_batch_size=2, gradient_accumulation_steps=2, world_size=2)
    order = list(LengthBucketSampler(lengths, step_size(args), seed=0))
    shares = [list(deal(order, 2, 2, rank)) for rank in range(2)]
    alone = list(BatchSampler(order, 8, drop_last=False))
    for step, rows in enumerate(alone):
        together = [row for share in shares for batch in share[2 * step : 2 * step + 2] for row in batch]
        assert sorted(together) == sorted(rows)
        assert max(lengths[row] for row in rows) - min(lengths[row] for row in rows) < 8


def deal(rows: Any, batch_size: int, num_processes: int, rank: int) -> Any:
    """Batches of one process, as accelerate deals them."""
    sampler: Any = rows if isinstance(rows, list) else SequentialSampler(rows)
    return BatchSamplerShard(BatchSampler(sampler, batch_size, drop_last=False), num_processes, rank)


def test_processes_are_wanted_by_trainings_alone() -> None:
    sections: dict[str, Any] = {
        "train": {"num_processes": 2},
        "reward": {"objective": "none", "num_processes": 2},
        "align": {"objective": "dpo", "num_processes": 3},
    }
    params = check_params(sections)
    wanted = {stage: launching.parallel_training(params, stage) for stage in ("base", "train", "reward", "align")}
    assert {stage: training and training.num_processes for stage, training in wanted.items()} == {
        "base": None,
        "train": 2,
        "reward": None,
        "align": 3,
    }
    assert "RANK" not in os.environ
