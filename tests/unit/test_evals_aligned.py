"""The evaluate stage on an aligned model: the model before it, how far it moved, what its answers are worth."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import tiny_project
import torch
from safetensors.torch import load_file, save_file

from pipeline.contract import paths
from pipeline.contract.loading import check_params
from pipeline.contract.manifest import Adapter, Manifest, Step, read_manifest
from pipeline.contract.params import Base
from pipeline.evals.kl import mean_kl
from pipeline.models.inputs import bare_model
from pipeline.models.loading import load_model
from pipeline.stages import evaluate

EVALUATE = {"batch_size": 2, "max_new_tokens": 8}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_project.write_test_split()


def align(start: Manifest) -> Manifest:
    """Write data/models/align with a second adapter on top of the first."""
    folder = paths.model_dir("align") / "adapter"
    shutil.copytree(start.adapters[0].path, folder)
    weights = load_file(folder / "adapter_model.safetensors")
    torch.manual_seed(5)
    save_file(
        {name: torch.randn_like(tensor) * 0.3 for name, tensor in weights.items()},
        folder / "adapter_model.safetensors",
        metadata={"format": "pt"},
    )
    aligned = replace(
        start,
        stage="align",
        adapters=(*start.adapters, Adapter(folder.as_posix(), "lora", 1)),
        lineage=(Step("train", "sft", "lora", 1), Step("align", "dpo", "lora", 1)),
    )
    aligned.write(paths.model_dir("align"))
    return aligned


def run(**align_section: Any) -> dict[str, Any]:
    evaluate.run(check_params({"evaluate": EVALUATE, "align": align_section}))
    return dict(json.loads((paths.metrics_dir("evaluate") / paths.METRICS_NAME).read_text()))


def test_the_model_before_its_alignment_is_scored_too() -> None:
    start = tiny_project.write_lora(tiny_project.write_base())
    before = run()
    align(start)
    metrics = run()
    assert metrics["start/loss"] == pytest.approx(before["test/loss"])
    assert metrics["base/loss"] == before["base/loss"]
    assert len({metrics[f"{split}/loss"] for split in ("base", "start", "test")}) == 3
    assert metrics["gain/loss"] == metrics["test/loss"] - metrics["base/loss"]
    assert metrics["test/kl"] > 0.01
    assert "start/loss" not in before
    assert "test/kl" not in before


def test_the_divergence_is_that_of_each_answer_alone() -> None:
    start = tiny_project.write_lora(tiny_project.write_base())
    policy, reference = (
        load_model(manifest, Base()) for manifest in (align(start), read_manifest(Path("data/models/train")))
    )
    answers = [([5, 6, 7, 8], [9, 10]), ([5], [11, 12, 13, 14]), ([7, 7], [8])]
    nats = []
    for prompt, completion in answers:
        ids = torch.tensor([[*prompt, *completion]])
        with torch.no_grad():
            ours, theirs = (
                bare_model(one.model)(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
                for one in (policy, reference)
            )
        nats.append(torch.nn.functional.kl_div(theirs, ours, log_target=True, reduction="sum").item())
    assert mean_kl(policy, reference, answers, 2) == pytest.approx(sum(nats) / 7, rel=1e-4)
    assert mean_kl(policy, policy, answers, 2) == 0.0
    assert mean_kl(policy, reference, [([5], [])], 2) == 0.0


def test_answers_are_worth_what_the_params_reward() -> None:
    align(tiny_project.write_lora(tiny_project.write_base()))
    metrics = run(rewards={"chrf": 3.0})
    table = pl.read_parquet(paths.PREDICTIONS)
    for split, column in (("test", "chrf"), ("base", "base_chrf")):
        scores = table[column].to_list()
        assert metrics[f"{split}/reward"] == pytest.approx(3 * sum(scores) / len(scores) / 100)
    assert len({metrics[f"{split}/reward"] for split in ("base", "start", "test")}) == 3
    assert "test/reward" not in run()
