"""An alignment that is killed and started again ends as one that was never disturbed."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.stages import align
from tests.unit import tiny_alignment
from tests.unit.resuming import assert_resumes, before_writing, during_step, while_saving

# Several epochs, an evaluation after every second step.
SHORT: dict[str, Any] = {
    "max_steps": 8, "max_rows": 6, "eval_fraction": 0.25, "log_interval_steps": 3,
    "watch": {"num_samples": 1, "sample_max_new_tokens": 3, "reward_collapse": "warn"},
}  # fmt: skip
OBJECTIVES: list[Any] = ["dpo", "grpo", *(pytest.param(name, marks=pytest.mark.slow) for name in ("kto", "rloo"))]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_killed_alignment_goes_on_bit_for_bit(objective: str) -> None:
    tiny_alignment.write_start()
    params = tiny_alignment.params(objective=objective, **SHORT)
    kills = (during_step(4), during_step(7), while_saving(8), before_writing())
    assert assert_resumes("align", lambda: align.run(params), *kills) == [[2], [6], [6], [8]]


def test_rollouts_that_serve_several_steps_go_on_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Off-policy steps on one batch of answers: a kill between them must not draw new ones."""
    from pipeline.training import policy

    ever: Any = policy.common_arguments
    monkeypatch.setattr(policy, "common_arguments", lambda *given: ever(*given) | {"num_iterations": 3})
    tiny_alignment.write_start()
    params = tiny_alignment.params(objective="grpo", **SHORT)
    assert assert_resumes("align", lambda: align.run(params), during_step(4), during_step(6)) == [[2], [4]]
