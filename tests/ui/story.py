"""A project that tells the story of all methods, as the demo's does."""

from array import array
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipeline.contract.params import Params
from tests.ui import project
from tests.ui.fakes import FakeRunner, FakeStore
from tui.core.experiments import Experiment
from tui.core.form import with_overrides
from tui.core.runs import Run, StageProgress
from tui.core.series import Event, Sample, Series

_FIGURES = {
    "base": (0.03, 0, 3.1), "prompt-tuning": (0.21, 2048, 21), "full": (0.97, 722_304, 26), "lora": (0.96, 71_680, 25),
}  # fmt: skip
_STUDENT = {"base.starter.hidden_size": 96, "train.peft": "none", "train.learning_rate": 0.004, "train.max_rows": 300}
_FEW = {"train.max_rows": 150, "align.learning_rate": 0.001}
_OVERRIDES: dict[str, dict[str, Any]] = {
    "base": {"train.objective": "none"},
    "prompt-tuning": {"train.peft": "prompt_tuning", "train.learning_rate": 0.03},
    "full": {"train.peft": "none", "train.learning_rate": 0.001},
    "lora": {},
    "dora": {"train.lora.dora": True},
    "p-tuning": {"train.peft": "p_tuning", "train.learning_rate": 0.01},
    "teacher": {"teacher.source": "starter", "train.objective": "teacher"},
    "student": _STUDENT,
    "student-distilled": {**_STUDENT, "teacher.source": "starter", "train.objective": "distill"},
    "sft-few": _FEW,
    "sft-dpo": {**_FEW, "align.objective": "dpo"},
    "sft-grpo": {**_FEW, "align.objective": "grpo", "align.rewards.exact_match": 1.0, "align.max_steps": 200},
    "rm-rloo": {
        **_FEW, "reward.objective": "bradley_terry", "align.objective": "rloo", "align.rewards.reward_model": 1.0,
    },
}  # fmt: skip
"""Like those of the demo, but these stay as they are."""
_OTHER = (0.71, 73_216, 12)
_REWARDED = {"dpo", "grpo", "rloo"}


def rows() -> list[Experiment]:
    """The commit and the demo's experiments, the last one running."""
    values = Params().model_dump()
    found = [Experiment("workspace", "workspace", params={"params.yaml": values})]
    found.append(replace(found[0], rev=project.MAIN, kind="commit", refs=("main",), timestamp=project.NOW))
    for index, (name, overrides) in enumerate(_OVERRIDES.items()):
        params = with_overrides(values, overrides)
        found.append(project.experiment(name, 0.5, 0.5, 40 - index, params=params))
        found[-1] = replace(found[-1], metrics=_metrics(name, index))
    aligned = next(i for i, row in enumerate(found) if row.label.endswith("grpo"))
    running = {"status": "running", "run_id": "g1", "stage": "align", "fraction": 0.45, "metrics": {}}
    found[aligned] = replace(found[aligned], **running)
    return found


def _metrics(name: str, index: int) -> dict[str, Any]:
    exact, trainable, seconds = _FIGURES.get(name, _OTHER)
    exact = round(min(0.98, exact + 0.01 * index), 4) if name not in _FIGURES else exact
    test: dict[str, Any] = {"test/exact_match": exact, "test/loss": 1 - exact, "start/exact_match": 0.03}
    if name.rpartition("-")[2] in _REWARDED:
        test |= {"test/reward": exact + 0.1, "test/kl": 0.02, "start/exact_match": 0.66}
    train = {"train/loss": 1 - exact, "model/num_trainable_parameters": trainable, "train/duration_s": float(seconds)}
    return {"data/metrics/evaluate/metrics.json": test, "data/metrics/train/metrics.json": train}


def curves() -> list[Series]:
    """What supervised training and then alignment leave behind."""
    steps = array("d", range(5, 95, 5))
    align = {
        "align/reward": [0.4 + 0.002 * step for step in steps],
        "align/kl": [0.0004 * step for step in steps],
        "align/completion_tokens": [13 - 0.01 * step for step in steps],
        "align/loss": [0.1 - 0.001 * step for step in steps],
        "align/reward_std": [0.3 for _ in steps],
        "align/zero_spread": [0.4 - 0.002 * step for step in steps],
        "align/entropy": [0.4 - 0.001 * step for step in steps],
        "align/learning_rate": [0.001 - 0.00001 * step for step in steps],
        "align_validation/exact_match": [0.66 + 0.001 * step for step in steps],
    }
    return [
        *project.curves()[1:3],
        *(Series("align", name, steps, array("d", values)) for name, values in align.items()),
    ]


def events() -> list[Event]:
    """What the guards saw, one message of them hostile."""
    return [
        Event("train", 40, 3.0, "spike", "warn", "train/loss 9.12 at step 40: 11 times its usual spread above 0.83"),
        Event("align", 30, 12.5, "reward_collapse", "warn", "all 8 completions of 4 of 4 prompts got reward 0"),
        Event("align", 60, 25.0, "kl", "warn", "0.31 nats/token \x1b[2Jfrom the start, more than 0.3"),
    ]


def samples() -> list[Sample]:
    """Two prompts at four steps."""
    asked = {
        "list the 3 newest files": ("ls -t | head -3", ("ls", "ls -t", "ls -t", "ls -t | head -3")),
        "count lines of notes.txt": (
            "wc -l notes.txt",
            ("wc notes.txt", "wc -l notes", "wc -l [b]x[/b]\x07", "wc"),
        ),
    }
    return [
        Sample("align", 30 * index, prompt, reference, answer)
        for prompt, (reference, answers) in asked.items()
        for index, answer in enumerate(answers)
    ]


def run() -> Run:
    """The run that aligns a model."""
    return Run(
        id="g1",
        name="sft-grpo",
        status="running",
        baseline=project.MAIN,
        snapshot="b" * 40,
        started_at=project.NOW - timedelta(minutes=2),
        directory=Path("/nowhere/g1"),
        log=Path("/nowhere/g1.log"),
        overrides={"train.max_rows": 150, "align.objective": "grpo"},
        pid=4242,
        progress=(
            StageProgress("base", "cached"),
            StageProgress("prepare", "cached"),
            StageProgress("teacher", "cached"),
            StageProgress("train", "done", 30, 30, elapsed_s=7.1),
            StageProgress("reward", "done", elapsed_s=0.2),
            StageProgress("align", "running", 90, 200, 45.0),
            StageProgress("evaluate", "waiting"),
            StageProgress("deploy", "waiting"),
        ),
    )


def store() -> FakeStore:
    """The read side of that project."""
    fake = FakeStore(rows())
    fake.recorded = {row.label: curves() for row in fake.listing if row.kind == "experiment"}
    fake.seen[run().name], fake.sampled[run().name] = events(), samples()
    return fake


def runner() -> FakeRunner:
    """Its write side."""
    fake = FakeRunner([run()], Params().model_dump())
    fake.logs["g1"] = "".join(f"align step {step} of 200\n" for step in range(5, 95, 5))
    return fake
