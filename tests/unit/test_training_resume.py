"""A training that is killed and started again ends as one that was never disturbed."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.stages import train
from tests.unit import tiny_training
from tests.unit.resuming import assert_resumes, before_writing, during_step, while_saving

METHODS = ("none", "lora", "prompt_tuning")
# Two epochs of six steps, an evaluation after every third step, dropout: everything that draws random numbers.
SHORT: dict[str, Any] = {
    "max_steps": 11, "eval_fraction": 0.3, "log_interval_steps": 2,
    "lora": {"r": 4, "alpha": 8.0, "dropout": 0.1}, "watch": {"num_samples": 2, "sample_max_new_tokens": 4},
}  # fmt: skip


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("kill", "resumed"),
    [(during_step(5), [3]), (during_step(10), [9]), (while_saving(6), [3]), (before_writing(train), [11])],
    ids=["in a step", "after an epoch", "while saving", "before writing"],
)
def test_a_killed_training_goes_on_bit_for_bit(method: str, kill: Any, resumed: list[int]) -> None:
    params = tiny_training.write_project(peft=method, **SHORT)
    assert assert_resumes("train", lambda: train.run(params), kill) == resumed
