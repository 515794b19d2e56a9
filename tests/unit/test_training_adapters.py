"""Every adapter method on every architecture: it trains, all of it moves, what is written is what was trained."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import MistralConfig, PretrainedConfig

from pipeline.contract import paths
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Params
from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder
from pipeline.models import preflight, quantization
from pipeline.models.loading import LoadedModel, load_model, load_tokenizer, load_weights
from pipeline.models.module_names import ia3_modules
from pipeline.models.weights import hash_weights, weight_files
from pipeline.stages import train
from pipeline.training import fit
from pipeline.training.frozen import frozen_sha256
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
# What only starts or scales a LoRA in another way depends on no architecture.
SCALED_OR_STARTED = ("rslora", "gaussian", "orthogonal", "pissa_rslora", "prefix_projection", "p_tuning_lstm")
REPEATED = ("rslora", "dora", "orthogonal", "pissa", "olora", "ia3", "prefix_projection", "p_tuning_lstm")
CPU = torch.device("cpu")
ARCHITECTURES: tuple[tiny_training.Architecture, ...] = ("gpt2", "llama", "qwen3")


def _is_tried(architecture: tiny_training.Architecture, method: str) -> bool:
    return architecture == "qwen3" or method not in SCALED_OR_STARTED


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


@pytest.mark.parametrize(
    ("architecture", "method"),
    [(architecture, method) for architecture in ARCHITECTURES for method in METHODS if _is_tried(architecture, method)],
)
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


@pytest.mark.parametrize("method", REPEATED)
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


def test_a_base_in_4_bits_is_refused_before_any_weight_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*given: object) -> None:
        raise AssertionError("weights were loaded")

    params = tiny_training.write_project(lora=LORA | {"quantization": "nf4"})
    monkeypatch.setattr("pipeline.models.loading.load_weights", load)
    monkeypatch.setattr("pipeline.models.quantization.load_weights", load)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StageError, match=r"train\.lora\.quantization is nf4: .*set it to none"):
        train.run(params)


def test_what_is_quantised_holds_the_adapters_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the quantisation itself, which needs a GPU."""
    params = tiny_training.write_project("gpt2", learning_rate=0.05, **METHODS["ia3"])
    train.run(params)
    manifest = read_manifest(paths.model_dir("train"))
    monkeypatch.setattr(quantization, "nf4_config", lambda: None)
    plain = quantization.load_quantized(manifest, params.base, CPU)
    assert not isinstance(plain.model, PeftModel)
    stacked, bare = (load_model(one, params.base, CPU) for one in (manifest, replace(manifest, adapters=())))
    assert torch.allclose(logits(plain), logits(stacked), atol=1e-5)
    assert not torch.allclose(logits(plain), logits(bare), atol=1e-3)


def logits(loaded: LoadedModel) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = loaded.model(torch.arange(5, 17)[None]).logits
    return result


@pytest.mark.parametrize(("architecture", "method"), [("gpt2", "pissa"), ("gpt2", "olora"), ("qwen3", "pissa_rslora")])
def test_a_start_along_the_base_is_written_as_a_plain_lora(
    architecture: tiny_training.Architecture, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same logits as the model in memory at the end, whose base is not the one on disk."""
    kept: list[Any] = []
    monkeypatch.setattr(fit, "frozen_sha256", kept.append)
    params = tiny_training.write_project(
        architecture, max_steps=2, eval_fraction=1.0, learning_rate=0.05, **METHODS[method]
    )
    train.run(params)
    trained = LoadedModel(kept[-1].eval(), load_tokenizer(paths.model_dir("base")), CPU)
    base = load_model(read_manifest(paths.model_dir("base")), params.base, CPU)
    config = json.loads((paths.model_dir("train") / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["init_lora_weights"], config["use_rslora"]) == (8, True, "rslora" in method)
    written = load_model(read_manifest(paths.model_dir("train")), params.base, CPU)
    assert torch.allclose(logits(written), logits(trained), atol=1e-5)
    assert not torch.allclose(logits(written), logits(base), atol=1e-3)


@pytest.mark.parametrize("method", ["pissa", "olora"])
def test_a_start_along_the_base_leaves_the_model_as_it_was(method: str) -> None:
    params = tiny_training.write_project("gpt2", max_steps=1, learning_rate=1e-12, **METHODS[method])
    train.run(params)
    written, base = (load_model(read_manifest(paths.model_dir(stage)), params.base, CPU) for stage in ("train", "base"))
    factors = [tensor for name, tensor in written_weights().items() if "c_attn.lora_B" in name]
    assert len(factors) == 2
    assert all(float(factor.abs().max()) > 0.01 for factor in factors)
    assert torch.allclose(logits(written), logits(base), atol=1e-6)


@pytest.mark.parametrize(("window", "is_refused"), [(8, True), (256, False), (None, False)])
def test_a_prefix_must_stay_in_sight(window: int | None, is_refused: bool) -> None:
    params = tiny_training.params(Path("source"), peft="prefix_tuning").train
    config = MistralConfig(sliding_window=window, max_position_embeddings=256)
    problems = list(preflight._of_prefix("train", params, config))
    assert len(problems) == is_refused
    assert all("sees only 8 tokens back" in problem for problem in problems)


def test_a_start_takes_no_more_directions_than_a_weight_has() -> None:
    params = tiny_training.write_project(lora={"r": 17, "init": "pissa"})
    with pytest.raises(StageError, match=r"train\.lora\.r is 17: .*k_proj has 16 of them; lower train\.lora\.r"):
        train.run(params)


@pytest.mark.parametrize("method", ["pissa", "olora", "dora", "p_tuning_lstm", "prefix_projection", "ia3"])
def test_an_interrupted_training_ends_as_if_it_had_not_been(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    params = tiny_training.write_project(learning_rate=0.05, **METHODS[method])
    train.run(params)
    files, result = written_files(), metrics()

    class Killed(BaseException):
        pass

    num_points = 0
    log = StageRecorder.log

    def log_until_killed(self: StageRecorder, step: int, *given: Any) -> None:
        nonlocal num_points
        log(self, step, *given)
        num_points += 1
        if step == 3:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(StageRecorder, "log", log_until_killed)
        with pytest.raises(Killed):
            train.run(params)
    assert num_points > 1
    train.run(params)
    assert (written_files(), metrics()) == (files, result)


def test_ia3_finds_keys_values_and_the_down_projection() -> None:
    found = {}
    for architecture in ARCHITECTURES:
        tiny_training.save_model(Path(architecture), architecture)
        model = load_weights(Path(architecture), "float32", CPU)
        modules = ia3_modules(model, None, None, "train")
        found[architecture] = (modules.targets, modules.feedforward)
    llama = (("k_proj", "v_proj", "down_proj"), ("down_proj",))
    assert found == {"gpt2": (("c_attn", "mlp.c_proj"), ("mlp.c_proj",)), "llama": llama, "qwen3": llama}


@pytest.mark.parametrize(
    ("ia3", "message"),
    [
        ({"target_modules": ["k_proj", "nope"]}, r"train\.ia3\.target_modules: .* no layer 'nope'; it has: .*k_proj"),
        (
            {"target_modules": ["k_proj"], "feedforward_modules": ["down_proj"]},
            r"train\.ia3\.feedforward_modules: 'down_proj' is not in train\.ia3\.target_modules",
        ),
    ],
)
def test_layers_that_ia3_cannot_rescale_are_named(ia3: dict[str, Any], message: str) -> None:
    with pytest.raises(StageError, match=message):
        train.run(tiny_training.write_project(peft="ia3", ia3=ia3))


def test_an_architecture_that_nobody_knows_asks_for_names() -> None:
    model: Any = torch.nn.ModuleDict({"mixer": torch.nn.Linear(2, 2), "gate": torch.nn.Linear(2, 2)})
    model.config = PretrainedConfig()
    model.config.model_type = "unheard-of"
    with pytest.raises(StageError, match=r"known for the architecture 'unheard-of'; name them\. It has: gate, mixer"):
        ia3_modules(model, None, None, "train")


@pytest.mark.parametrize("method", ["prompt_tuning", "prefix_tuning", "p_tuning"])
def test_the_base_of_a_soft_prompt_is_proven_frozen(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash is one over real weights: moving a single one of them fails the stage."""
    options = METHODS.get(method, {"peft": method})
    params = tiny_training.write_project(**options)
    train.run(params)
    (step,) = read_manifest(paths.model_dir("train")).lineage
    assert step.frozen_sha256_before == step.frozen_sha256_after
    assert len(step.frozen_sha256_before or "") == 64

    def move_one_weight(model: Any) -> str | None:
        frozen = next(parameter for parameter in model.parameters() if not parameter.requires_grad)
        digest = frozen_sha256(model)
        frozen.data.view(-1)[0] += 1e-3
        return digest

    monkeypatch.setattr(fit, "frozen_sha256", move_one_weight)
    with pytest.raises(StageError, match="weights that are frozen have changed in training"):
        train.run(params)
