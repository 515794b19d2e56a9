"""Adapters trained on top of each other: each one on what those below make of the base, and all of them are shipped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.contract import paths
from pipeline.contract.files import write_json
from pipeline.contract.manifest import Manifest, read_manifest
from pipeline.contract.params import Params
from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder
from pipeline.evals import probe
from pipeline.evals.card_training import METHODS
from pipeline.evals.load_back import ProbeRequest
from pipeline.evals.parity import ProbeAnswer
from pipeline.models.chat import encode_prompt
from pipeline.models.loading import load_adapter, load_model, load_weights
from pipeline.stages import deploy, train
from pipeline.training.job import Job
from pipeline.training.saving import write_model
from pipeline.training.sft import fine_tune
from tests.unit import tiny_training

CPU = torch.device("cpu")
IDS = torch.arange(5, 17)[None]
LORA: dict[str, Any] = {"peft": "lora", "lora": {"r": 4, "alpha": 8.0}}
PISSA: dict[str, Any] = {"peft": "lora", "lora": {"r": 4, "alpha": 8.0, "init": "pissa"}}
SHORT = {"num_virtual_tokens": 3}
STACKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "lora, lora": (LORA, LORA),
    "ia3, lora": ({"peft": "ia3"}, LORA),
    "pissa, dora": (PISSA, {"peft": "lora", "lora": {"r": 4, "dora": True}}),
    "lora, prefix_tuning": (LORA, {"peft": "prefix_tuning", "prefix_tuning": SHORT}),
    "lora, p_tuning": (LORA, {"peft": "p_tuning", "p_tuning": SHORT}),
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(deploy, "ask_export", ask_here)


def ask_here(directory: Path, request: ProbeRequest, on_answer: Callable[[], None]) -> list[ProbeAnswer]:
    """What the fresh process does, without its cost."""
    model, tokenizer = probe.load(directory, request.device, request.trust_remote_code)
    answers = []
    for prompt in request.prompts:
        ids = encode_prompt(tokenizer, prompt)
        answers.append(ProbeAnswer(ids, *probe.answer(model, ids, request.max_new_tokens)))
        on_answer()
    return answers


def write_stack(architecture: tiny_training.Architecture, name: str) -> tuple[Manifest, Params]:
    """Train one adapter, then another one on top of it, as the stages train and align do."""
    below, above = STACKS[name]
    params = tiny_training.write_project(architecture, learning_rate=0.05, **below)
    tiny_training.write_split("test", 6)
    train.run(params)
    second = tiny_training.params(Path("source"), learning_rate=0.05, eval_fraction=1.0, seed=1, **above)
    start = read_manifest(paths.model_dir("train"))
    with StageRecorder("align", seed=1) as recorder:
        trained = fine_tune(Job("align", "sft", recorder, Path("kept")), second.train, start, second.base)
        manifest = write_model(paths.model_dir("align"), start, trained, False)
        recorder.finish({}, {})
    return manifest, params


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = model.eval()(IDS, attention_mask=torch.ones_like(IDS)).logits[:, -IDS.shape[1] :]
    return result


@pytest.mark.parametrize(("architecture", "name"), [*(("qwen3", name) for name in STACKS), ("gpt2", "ia3, lora")])
def test_a_stack_loads_in_its_order_and_is_shipped(architecture: tiny_training.Architecture, name: str) -> None:
    manifest, params = write_stack(architecture, name)
    below, above = manifest.adapters
    assert [step.method for step in manifest.lineage] == [below.method, above.method]
    assert manifest.num_parameters == read_manifest(paths.model_dir("base")).num_parameters + sum(
        adapter.num_parameters for adapter in manifest.adapters
    )
    bare = load_weights(Path(manifest.weights), "float32", CPU)
    merged: Any = load_adapter(bare, Path(below.path)).merge_and_unload()
    expected = logits(load_adapter(merged, Path(above.path)))
    assert torch.allclose(logits(load_model(manifest, params.base, CPU).model), expected, atol=1e-5)
    first = logits(load_model(read_manifest(paths.model_dir("train")), params.base, CPU).model)
    assert not torch.allclose(first, expected, atol=1e-3)

    for file in (paths.METRICS_NAME, paths.CATEGORIES_NAME):
        write_json(paths.metrics_dir("evaluate") / file, {})
    write_json(paths.DATA_REPORT, {})
    deploy.run(params)
    shipped, _ = probe.load(paths.model_dir("deploy"), "cpu", False)
    assert torch.allclose(logits(shipped), expected, atol=1e-4)
    kept = [adapter.method for adapter in read_manifest(paths.model_dir("deploy")).adapters]
    assert kept == ([above.method] if above.method in ("prefix_tuning", "p_tuning") else [])
    title = next(
        line for line in (paths.model_dir("deploy") / "README.md").read_text().splitlines() if line[:2] == "# "
    )
    assert title == f"# source, {METHODS[below.method]}, then {METHODS[above.method]}"


def test_nothing_sits_on_a_soft_prompt() -> None:
    params = tiny_training.write_project(peft="p_tuning", p_tuning=SHORT)
    train.run(params)
    start = read_manifest(paths.model_dir("train"))
    stacked = Manifest(**{**{name: getattr(start, name) for name in start.__slots__}, "adapters": start.adapters * 2})
    with pytest.raises(StageError, match="nothing can be put on top of a soft prompt; it must be the last adapter"):
        load_model(stacked, params.base, CPU)
