"""A project as it could be, at a fixed time."""

import math
from array import array
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.ui.fakes import FakeRunner, FakeStore
from tui.core.experiments import Experiment
from tui.core.runs import LaunchPlan, Run, StagePlan, StageProgress
from tui.core.series import Series

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
MAIN, OLD = "3f2a91c" + "0" * 33, "77c01be" + "1" * 33


def params(peft: str = "lora", rate: float = 0.005, rank: int = 16) -> dict[str, Any]:
    """Params that follow the schema."""
    train = {"objective": "sft", "peft": peft, "learning_rate": rate, "lora": {"r": rank}, "seed": 0}
    return {"base": {"source": "starter", "seed": 0}, "prepare": {"num_rows": 3000}, "train": train}


def metrics(exact: float | None, loss: float, trainable: int) -> dict[str, Any]:
    """Metrics as the pipeline's stages write them."""
    return {
        "data/metrics/evaluate/metrics.json": {
            "test/exact_match": exact,
            "test/chrf": None if exact is None else round(90 * exact + 8, 2),
            "test/loss": loss,
            "base/exact_match": 0.02,
        },
        "data/metrics/train/metrics.json": {"train/loss": loss * 0.9, "num_trainable_parameters": trainable},
        "data/metrics/train/resources.json": {"peak_memory_bytes": 1_100_000_000, "tokens_per_second": 21_400.0},
    }


def experiment(name: str, exact: float | None, loss: float, minutes: int, **more: Any) -> Experiment:
    """One experiment below main."""
    values = more.pop("params", params())
    return Experiment(
        rev=more.pop("rev", format(abs(hash_of(name)), "x").zfill(40)[:40]),
        kind="experiment",
        name=name,
        baseline=MAIN,
        timestamp=NOW - timedelta(minutes=minutes),
        params={"params.yaml": values},
        metrics=metrics(exact, loss, more.pop("trainable", 400_000)) if exact is not None else {},
        **more,
    )


def hash_of(text: str) -> int:
    """The same in every process."""
    return int.from_bytes(text.encode() * 20, "big") % 16**40


def experiments() -> list[Experiment]:
    """Two commits; below the newest one experiments in every state."""
    return [
        Experiment("workspace", "workspace", params={"params.yaml": params()}, metrics=metrics(0.91, 0.31, 400_000)),
        Experiment(
            MAIN,
            "commit",
            refs=("main",),
            timestamp=NOW - timedelta(hours=2),
            subject="Use the larger corpus",
            params={"params.yaml": params()},
            metrics=metrics(0.91, 0.31, 400_000),
        ),
        experiment("brisk-owl", 0.94, 0.33, 60, params=params(rank=32), trainable=800_000),
        experiment(
            "warm-fox",
            0.47,
            0.88,
            1,
            params=params("prompt_tuning", 0.05),
            trainable=8200,
            status="running",
            run_id="r1",
            stage="train",
            fraction=0.62,
        ),
        experiment("late-bee", None, 0.0, 0, params=params("none", 0.001), status="queued", run_id="r2"),
        experiment(
            "cold-elk",
            None,
            0.0,
            55,
            params=params("none", 0.002),
            status="failed",
            run_id="r3",
            error="train failed: loss is NaN at step 40",
        ),
        experiment("calm-ant", 0.61, 0.7, 200, params=params("lora", 0.001, 8), status="cancelled"),
        Experiment(
            OLD,
            "commit",
            timestamp=NOW - timedelta(days=3),
            subject="Start from the template",
            params={"params.yaml": params(rank=8)},
            metrics=metrics(0.84, 0.42, 200_000),
        ),
        Experiment(
            "a" * 40,
            "experiment",
            name="tiny-gnu",
            baseline=OLD,
            timestamp=NOW - timedelta(days=2),
            params={"params.yaml": params(rank=4)},
            metrics=metrics(0.79, 0.5, 100_000),
        ),
    ]


def curve(stage: str, name: str, num: int, start: float, end: float, every: int = 5) -> Series:
    """A curve that falls from start to end."""
    steps = array("d", (i * every for i in range(num)))
    values = array(
        "d", (end + (start - end) * math.exp(-4 * i / num) + 0.03 * end * math.sin(i * 1.7) for i in range(num))
    )
    return Series(stage, name, steps, values)


def curves(start: float = 4.0, num: int = 60) -> list[Series]:
    """What training and pretraining leave behind."""
    return [
        curve("base", "train/loss", 80, 6.0, 2.0, 20),
        curve("train", "train/loss", num, start, 0.3),
        curve("train", "validation/loss", num // 6, start * 0.9, 0.4, 30),
        curve("train", "train/learning_rate", num, 0.005, 0.0),
        curve("train", "train/grad_norm", num, 2.0, 0.5),
        curve("train", "validation/token_accuracy", num // 6, 0.1, 0.9, 30),
    ]


def run_of_fox() -> Run:
    """The run that goes on."""
    return Run(
        id="r1",
        name="warm-fox",
        status="running",
        baseline=MAIN,
        snapshot="b" * 40,
        started_at=NOW - timedelta(minutes=3),
        directory=Path("/nowhere/r1"),
        log=Path("/nowhere/r1.log"),
        overrides={"train.peft": "prompt_tuning", "train.learning_rate": 0.05},
        pid=4242,
        progress=(
            StageProgress("base", "cached"),
            StageProgress("prepare", "done", elapsed_s=3.2),
            StageProgress("train", "running", 186, 300, 93.0),
            StageProgress("evaluate", "waiting"),
            StageProgress("deploy", "waiting"),
        ),
    )


def plan() -> LaunchPlan:
    """Train and what follows."""
    return LaunchPlan(
        (
            StagePlan("base", False, None, "", 118.0),
            StagePlan("prepare", False, None, "", 4.0),
            StagePlan("train", True, "params", "train.lora.r: 16 -> 8", 41.0),
            StagePlan("evaluate", True, "upstream", "train runs", 12.0),
            StagePlan("deploy", True, "upstream", "train runs", None),
        ),
        warnings=("notes.txt is not tracked by Git and will be left out",),
    )


def store() -> FakeStore:
    """The read side of that project."""
    fake = FakeStore(experiments())
    for row in fake.listing:
        fake.recorded[row.label] = curves()
    fake.recorded["warm-fox"] = curves(5.0, 36)
    fake.answers = [
        {
            "id": str(i),
            "category": "files",
            "prompt": f"list the {i} newest files",
            "reference": f"ls -t | head -{i}",
            "prediction": f"ls -t | head -{i}",
            "exact_match": 1.0,
        }
        for i in range(1, 6)
    ]
    return fake


def runner() -> FakeRunner:
    """Its write side."""
    fake = FakeRunner([run_of_fox()], params())
    fake.logs["r1"] = "\n".join(f"{{'loss': {4 - i / 20:.3f}, 'step': {5 * i}}}" for i in range(36)) + "\n"
    fake.launch_plan = plan()
    fake.log_of_commands = ["git rev-parse HEAD", "dvc repro"]
    return fake
