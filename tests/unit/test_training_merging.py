"""Several LoRA adapters of one base become one: the update is the one that the combination says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, get_peft_model
from safetensors.torch import load_file

from pipeline.contract import paths
from pipeline.contract.loading import check_params
from pipeline.contract.manifest import Manifest, read_manifest
from pipeline.contract.params import Params
from pipeline.contract.problems import StageError
from pipeline.models.loading import load_model, load_weights
from pipeline.stages import train
from pipeline.training.merging import merge_adapters
from tests.unit import tiny_training

DIRECTORY = paths.model_dir("train")
CPU = torch.device("cpu")
COMBINATIONS = ("linear", "ties", "dare_linear", "dare_ties", "magnitude_prune")
IDS = torch.arange(5, 17)[None]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def merge_params(*weights: float, combination: str = "linear", density: float = 0.5) -> Params:
    adapters = [{"path": f"adapters/{name}", "weight": weight} for name, weight in zip("abc", weights, strict=False)]
    merge = {"adapters": adapters, "combination": combination, "density": density}
    return check_params({"base": {"source": "source"}, "train": {"objective": "merge", "merge": merge}})


def write_adapters(architecture: tiny_training.Architecture = "qwen3", *configs: Any) -> Manifest:
    """Write a base and random adapters for it in adapters/a, adapters/b, ..."""
    tiny_training.write_project(architecture)
    base = read_manifest(paths.model_dir("base"))
    for number, (name, config) in enumerate(zip("abc", configs or (lora(4), lora(4)), strict=False)):
        write_adapter(base, Path("adapters") / name, config, number)
    return base


def lora(r: int, **options: Any) -> LoraConfig:
    return LoraConfig(r=r, lora_alpha=2 * r, target_modules="all-linear", task_type="CAUSAL_LM", **options)


def write_adapter(base: Manifest, folder: Path, config: Any, seed: int) -> None:
    model: Any = get_peft_model(load_weights(Path(base.weights), "float32", CPU), config)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)


def update(folder: Path) -> dict[str, torch.Tensor]:
    """scale * B A of every adapted layer."""
    config = json.loads((folder / "adapter_config.json").read_text())
    tensors = load_file(folder / "adapter_model.safetensors")
    scale = config["lora_alpha"] / (config["r"] ** 0.5 if config["use_rslora"] else config["r"])
    downs = [name for name in tensors if ".lora_A." in name]
    return {name: scale * tensors[name.replace("lora_A", "lora_B")] @ tensors[name] for name in downs}


def logits(manifest: Manifest) -> torch.Tensor:
    loaded = load_model(manifest, Params().base, CPU)
    with torch.inference_mode():
        result: torch.Tensor = loaded.model(IDS).logits
    return result


@pytest.mark.parametrize("architecture", ["gpt2", "qwen3"])
def test_a_linear_merge_is_the_weighted_sum_of_the_updates(architecture: tiny_training.Architecture) -> None:
    write_adapters(architecture, lora(4), lora(2, use_rslora=True))
    train.run(merge_params(0.7, -0.4))
    one, other, merged = (update(folder) for folder in (Path("adapters/a"), Path("adapters/b"), DIRECTORY / "adapter"))
    assert one.keys() == merged.keys()
    assert len(merged) > 7
    for name, found in merged.items():
        assert torch.allclose(found, 0.7 * one[name] - 0.4 * other[name], atol=1e-6)


def test_an_adapter_whose_scale_is_not_1_stays_itself() -> None:
    """The first one lends its switches to the result."""
    write_adapters("qwen3", lora(4, use_rslora=True), lora(4))
    train.run(merge_params(1.0, 0.0))
    one, merged = update(Path("adapters/a")), update(DIRECTORY / "adapter")
    assert all(torch.allclose(merged[name], one[name], atol=1e-6) for name in one)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_combination_is_a_model_like_any_other_and_repeats(combination: str) -> None:
    base = write_adapters("qwen3", lora(4), lora(2))
    params = merge_params(0.5, 0.5, combination=combination)
    train.run(params)
    manifest = read_manifest(DIRECTORY)
    first = (DIRECTORY / "adapter" / "adapter_model.safetensors").read_bytes()
    (adapter,) = manifest.adapters
    assert (manifest.method, adapter.method, manifest.lineage[0].objective) == ("lora", "lora", "merge")
    assert manifest.num_parameters == base.num_parameters + adapter.num_parameters
    assert not torch.allclose(logits(manifest), logits(base), atol=1e-3)
    torch.manual_seed(99)
    train.run(params)
    assert (DIRECTORY / "adapter" / "adapter_model.safetensors").read_bytes() == first
    assert sorted(path.name for path in DIRECTORY.parent.iterdir()) == ["base", "train"]


def test_adapters_that_dvc_does_not_watch_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    write_adapters()
    paths.PIPELINE_FILE.write_text("stages: {train: {deps: [adapters/a]}}")
    train.run(merge_params(1, 1))
    errors = capsys.readouterr().err
    assert "train: warning: adapters/b (train.merge.adapters) is no dep of train in dvc.yaml" in errors
    assert "adapters/a" not in errors


def test_dare_draws_by_seed() -> None:
    base = write_adapters()
    merge = merge_params(0.5, 0.5, combination="dare_linear").train.merge
    found = []
    for seed in (0, 1):
        merge_adapters(merge, base, Params().base, DIRECTORY, seed)
        found.append((DIRECTORY / "adapter" / "adapter_model.safetensors").read_bytes())
    assert found[0] != found[1]


def test_magnitude_pruning_keeps_the_largest_entries_of_each_update() -> None:
    """At full rank nothing is cut off afterwards, so that the kept entries can be seen."""
    write_adapters("qwen3", lora(16), lora(16))
    train.run(merge_params(1.0, 0.0, combination="magnitude_prune", density=0.25))
    one, merged = update(Path("adapters/a")), update(DIRECTORY / "adapter")
    name = next(name for name in one if "k_proj" in name)
    kept = one[name].abs() >= one[name].abs().flatten().quantile(0.75)
    assert merged[name].shape == (16, 32)
    assert torch.allclose(merged[name], one[name] * kept, atol=1e-4)


def _another_base() -> None:
    base = read_manifest(paths.model_dir("base"))
    changed = {**json.loads((paths.model_dir("base") / "model.json").read_text()), "weights_sha256": "f" * 64}
    assert base.weights_sha256 != "f" * 64
    Path("adapters/b/model.json").write_text(json.dumps(changed))


def _stacked() -> None:
    manifest = json.loads((paths.model_dir("base") / "model.json").read_text())
    manifest["adapters"] = [{"path": path, "method": "lora", "num_parameters": 1} for path in ("x/adapter", "y/b")]
    Path("adapters/b/model.json").write_text(json.dumps(manifest))


def _other_shape() -> None:
    config = Path("adapters/b/adapter_config.json")
    config.write_text(config.read_text().replace('"r": 4', '"r": 8'))


def _other_method() -> None:
    write_adapter(
        read_manifest(paths.model_dir("base")),
        Path("adapters/b"),
        IA3Config(target_modules=["k_proj"], feedforward_modules=[], task_type="CAUSAL_LM"),
        0,
    )


def _dora() -> None:
    write_adapter(read_manifest(paths.model_dir("base")), Path("adapters/b"), lora(4, use_dora=True), 0)


def _half() -> None:
    from safetensors.torch import save_file

    file = Path("adapters/b/adapter_model.safetensors")
    tensors = load_file(file)
    save_file({name: tensors[name] for name in sorted(tensors)[2:]}, file)


def _gone() -> None:
    Path("adapters/b/adapter_config.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_another_base, r"adapters/b was trained on another base \(ffffffffffff\) than data/models/base"),
        (_stacked, r"adapters/b sits on another adapter \(x/adapter\)"),
        (_other_shape, r"adapters/b: cannot load the adapter"),
        (_other_method, r"adapters/b is ia3; only plain LoRA"),
        (_dora, r"adapters/b is dora; only plain LoRA"),
        (_half, r"adapters/b: the adapter does not fit this model, the first tensor in doubt is .*lora_A"),
        (_gone, r"adapters/b: holds no adapter"),
    ],
)
def test_what_cannot_be_joined_is_named(spoil: Callable[[], None], message: str) -> None:
    write_adapters()
    spoil()
    with pytest.raises(StageError, match=message):
        train.run(merge_params(0.5, 0.5))
