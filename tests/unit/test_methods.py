"""Every cell of docs/methods.md that says yes is trained: each method with each objective, architectures in turn."""

import math
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract import paths
from pipeline.contract.loading import check_params
from pipeline.contract.manifest import read_manifest
from pipeline.contract.methods import METHODS, OBJECTIVES, Choice, nested, problems_of, ways_to_align
from pipeline.contract.params import Base, Params
from pipeline.models.loading import load_model
from pipeline.stages import align, reward, teacher, train
from tests.unit import tiny_training

SMALL: dict[str, Any] = {"max_steps": 1, "batch_size": 4, "log_interval_steps": 1, "eval_fraction": 1.0}
QUIET = {"watch": {"num_samples": 1, "sample_max_new_tokens": 4, "reward_collapse": "off"}}
OVERRIDES: dict[str, Any] = {
    "train": SMALL | QUIET | {"max_rows": 8, "distill": {"max_new_tokens": 4}},
    "teacher": {"objective": "none", "top_k": 8, "max_new_tokens": 4},
    "reward": SMALL | QUIET,
    "align": SMALL | QUIET | {"rollout": {"num_generations": 4, "max_new_tokens": 4}},
}
ARCHITECTURES: tuple[tiny_training.Architecture, ...] = ("gpt2", "llama", "qwen3")


def cells() -> list[Any]:
    """Method, objective, how it is aligned, architecture; each cell on one, each row and column on all."""
    found = []
    for row, method in enumerate(method for method in METHODS if not method.needs):
        for objective, architecture in zip(OBJECTIVES, cycle(ARCHITECTURES[row % 3 :] + ARCHITECTURES[: row % 3])):
            is_aligned = "align.objective" in objective.overrides
            ways = ways_to_align(method, objective) if is_aligned else []
            if ways or not (is_aligned or problems_of(method.overrides, objective.overrides)):
                way = ways[0] if ways else None
                name = f"{method.name}-{objective.name}-{architecture}".replace(" ", "_")
                found.append(pytest.param(method, objective, way, architecture, id=name))
    return found


CELLS = cells()


def test_the_table_is_not_empty() -> None:
    assert len(CELLS) > 75


@pytest.mark.parametrize(("method", "objective", "way", "architecture"), CELLS)
def test_a_method_learns_an_objective(
    method: Choice,
    objective: Choice,
    way: str | None,
    architecture: tiny_training.Architecture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_training.write_project(architecture)
    params = _params(method, objective, way)
    for split in ("train", "validation", "test"):
        tiny_training.write_preferences(split, 8)
    for stage in (teacher, train, reward, align):
        stage.run(params)
    manifest = read_manifest(paths.model_dir("align"))
    stages = [step.stage for step in manifest.lineage]
    assert stages == (["train", "align"] if way else ["train"])
    assert all(step.frozen_sha256_before == step.frozen_sha256_after for step in manifest.lineage)
    if "reward.objective" in objective.overrides:
        assert read_manifest(paths.model_dir("reward")).lineage[-1].objective == params.reward.objective
    loaded = load_model(manifest, Base(source="source"))
    assert all(math.isfinite(float(parameter.detach().sum())) for parameter in loaded.model.parameters())


def _params(method: Choice, objective: Choice, way: str | None) -> Params:
    own: dict[str, Any] = {"base.source": "source", "align.peft": way or "lora"}
    if "teacher.source" in objective.overrides:
        own["teacher.source"] = "source"
    values = nested(method.overrides, objective.overrides, own)
    return check_params(_merged(values, OVERRIDES))


def _merged(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """Both, the first one's values where both have one."""
    result = dict(others)
    for key, value in values.items():
        both = isinstance(value, dict) and isinstance(others.get(key), dict)
        result[key] = _merged(value, others[key]) if both else value
    return result
