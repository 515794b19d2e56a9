"""Every adapter method on every architecture: it trains, all of it moves, what is written is what was trained."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipeline.contract import paths
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Params
from pipeline.models.loading import load_model
from pipeline.models.weights import hash_weights, weight_files
from pipeline.stages import train
from pipeline.training.rows import IGNORED, encode_split
from tests.unit import tiny_training

LORA = {"r": 4, "alpha": 8.0}
SHORT = {"num_virtual_tokens": 4}
METHODS: dict[str, dict[str, Any]] = {
    "rslora": {"peft": "lora", "lora": LORA | {"rslora": True}},
    "dora": {"peft": "lora", "lora": LORA | {"dora": True}},
    "gaussian": {"peft": "lora", "lora": LORA | {"init": "gaussian"}},
    "orthogonal": {"peft": "lora", "lora": LORA | {"init": "orthogonal"}},
    "pissa": {"peft": "lora", "lora": LORA | {"init": "pissa"}},
    "pissa_rslora": {"peft": "lora", "lora": LORA | {"init": "pissa", "rslora": True}},
    "olora": {"peft": "lora", "lora": LORA | {"init": "olora"}},
    "ia3": {"peft": "ia3"},
    "prefix_tuning": {"peft": "prefix_tuning", "prefix_tuning": SHORT},
    "prefix_projection": {"peft": "prefix_tuning", "prefix_tuning": SHORT | {"projection": True, "hidden_size": 8}},
    "p_tuning": {"peft": "p_tuning", "p_tuning": SHORT | {"hidden_size": 8}},
    "p_tuning_lstm": {"peft": "p_tuning", "p_tuning": SHORT | {"hidden_size": 8, "encoder": "lstm"}},
}
SOFT_PROMPTS = ("prompt_tuning", "prefix_tuning", "p_tuning")
ARCHITECTURES = ("gpt2", "llama", "qwen3")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def metrics() -> dict[str, Any]:
    return dict(json.loads(Path("data/metrics/train/metrics.json").read_text()))


def written_files() -> dict[str, bytes]:
    folder = paths.model_dir("train")
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def written_weights() -> dict[str, torch.Tensor]:
    return load_file(paths.model_dir("train") / "adapter" / "adapter_model.safetensors")


def validation_loss(params: Params) -> float:
    """Mean loss per completion token of the model that the stage wrote, one row at a time through peft's forward."""
    loaded = load_model(read_manifest(paths.model_dir("train")), params.base)
    split = encode_split(paths.split_file("validation"), loaded.tokenizer, params.train.max_length)
    total, count = 0.0, 0
    for ids, labels in zip(split.input_ids, split.labels, strict=True):
        with torch.no_grad():
            logits = loaded.model(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids))).logits[0, -len(ids) : -1]
        targets = torch.tensor(labels[1:])
        total += float(torch.nn.functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum"))
        count += int((targets != IGNORED).sum())
    return total / count


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_written_scores_as_training_reported(architecture: tiny_training.Architecture, method: str) -> None:
    params = tiny_training.write_project(architecture, learning_rate=0.05, **METHODS[method])
    before = hash_weights(weight_files(paths.model_dir("base")))
    train.run(params)
    manifest, result = read_manifest(paths.model_dir("train")), metrics()
    num_base = read_manifest(paths.model_dir("base")).num_parameters
    assert hash_weights(weight_files(paths.model_dir("base"))) == before == manifest.weights_sha256
    assert all(math.isfinite(value) for value in result.values())
    assert result["validation/loss"] == pytest.approx(validation_loss(params), abs=1e-5)
    (step,) = manifest.lineage
    assert step.frozen_sha256_before is not None
    assert step.frozen_sha256_before == step.frozen_sha256_after
    (adapter,) = manifest.adapters
    assert adapter.method == manifest.method == METHODS[method]["peft"]
    assert adapter.num_parameters == sum(tensor.numel() for tensor in written_weights().values())
    assert manifest.num_parameters == num_base + adapter.num_parameters


@pytest.mark.parametrize("method", METHODS)
def test_every_trainable_tensor_moves_and_equal_seeds_give_equal_bytes(method: str) -> None:
    params = tiny_training.write_project(learning_rate=0.05, **METHODS[method])
    train.run(params)
    first, files, result = written_weights(), written_files(), metrics()
    train.run(params)
    assert (written_files(), metrics()) == (files, result)
    train.run(tiny_training.params(Path("source"), learning_rate=0.1, **METHODS[method]))
    second = written_weights()
    assert first.keys() == second.keys()
    assert len(first) > 0
    assert [name for name in first if torch.equal(first[name], second[name])] == []
