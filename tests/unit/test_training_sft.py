"""The train stage on tiny random models: what it learns, what it leaves alone, what it refuses."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.contract import paths
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Params
from pipeline.contract.problems import StageError
from pipeline.contract.series import Point, decode_points
from pipeline.models import loading
from pipeline.models.devices import training_dtype
from pipeline.models.loading import load_model
from pipeline.models.weights import hash_weights, weight_files
from pipeline.stages import train
from pipeline.training import sft
from pipeline.training.rows import IGNORED, encode_split
from tests.unit import tiny_training

METHODS = ("lora", "prompt_tuning", "none")
MACHINE_DECIDES = {"time_s", "train/tokens_per_second"}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def metrics() -> dict[str, Any]:
    return dict(json.loads(Path("data/metrics/train/metrics.json").read_text()))


def record() -> dict[str, Any]:
    return dict(json.loads(Path("data/metrics/train/run.json").read_text()))


def series() -> list[Point]:
    points = decode_points(Path("data/metrics/train/series.jsonl").read_bytes())
    return [{name: value for name, value in point.items() if name not in MACHINE_DECIDES} for point in points]


def curve(name: str) -> list[float]:
    return [value for point in series() if (value := point.get(name)) is not None]


def written_files() -> dict[str, bytes]:
    folder = paths.model_dir("train")
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def validation_loss(params: Params) -> float:
    """Mean loss per completion token of the model that the stage wrote, one row at a time."""
    loaded = load_model(read_manifest(paths.model_dir("train")), params.base)
    split = encode_split(paths.split_file("validation"), loaded.tokenizer, params.train.max_length)
    total, count = 0.0, 0
    for ids, labels in zip(split.input_ids, split.labels, strict=True):
        with torch.no_grad():
            logits = loaded.model(torch.tensor([ids])).logits[0, -len(ids) : -1]
        targets = torch.tensor(labels[1:])
        total += float(torch.nn.functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum"))
        count += int((targets != IGNORED).sum())
    return total / count


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", ["gpt2", "llama", "qwen3"])
def test_training_leaves_a_model_that_loads_and_scores_as_reported(
    architecture: tiny_training.Architecture, method: str
) -> None:
    params = tiny_training.write_project(architecture, peft=method)
    tiny_training.write_split("validation", 21)  # several batches, the last one short
    before = hash_weights(weight_files(paths.model_dir("base")))
    train.run(params)
    manifest, result = read_manifest(paths.model_dir("train")), metrics()
    assert hash_weights(weight_files(paths.model_dir("base"))) == before
    assert result["validation/loss"] == pytest.approx(validation_loss(params), abs=1e-5)
    assert all(math.isfinite(value) for value in result.values())
    assert 0 < manifest.num_trainable_parameters <= manifest.num_parameters
    assert (manifest.num_trainable_parameters == manifest.num_parameters) == (method == "none")
    assert (manifest.method, len(manifest.adapters)) == (("full", 0) if method == "none" else (method, 1))
    assert not paths.CHECKPOINTS.exists()


@pytest.mark.parametrize("method", METHODS)
def test_every_trainable_tensor_moves(method: str) -> None:
    params = tiny_training.write_project(peft=method, learning_rate=0.01)
    train.run(params)
    first = written_weights()
    train.run(tiny_training.params(Path("source"), peft=method, learning_rate=0.02))
    second = written_weights()
    assert first.keys() == second.keys()
    assert len(first) > 0
    assert [name for name in first if torch.equal(first[name], second[name])] == []


def written_weights() -> dict[str, torch.Tensor]:
    file = next(paths.model_dir("train").rglob("*.safetensors"))
    return load_file(file)


@pytest.mark.parametrize("method", METHODS)
def test_equal_seeds_give_equal_points_and_bytes(method: str) -> None:
    params = tiny_training.write_project(peft=method)
    train.run(params)
    points, files, result = series(), written_files(), metrics()
    train.run(params)
    assert series() == points
    assert written_files() == files
    assert metrics() == result
    train.run(tiny_training.params(Path("source"), peft=method, seed=1))
    assert series() != points


def test_what_is_written_knows_nothing_of_the_machine() -> None:
    train.run(tiny_training.write_project())
    assert sorted(written_files()) == ["adapter/adapter_config.json", "adapter/adapter_model.safetensors", "model.json"]
    assert all(str(Path.cwd()).encode() not in content for content in written_files().values())


@pytest.mark.parametrize("method", METHODS)
def test_accumulated_batches_equal_a_large_one(method: str) -> None:
    params = tiny_training.write_project(peft=method, batch_size=8)
    train.run(params)
    large = curve("train/loss") + curve("train/grad_norm") + curve("validation/loss")
    train.run(tiny_training.params(Path("source"), peft=method, batch_size=2, gradient_accumulation_steps=4))
    accumulated = curve("train/loss") + curve("train/grad_norm") + curve("validation/loss")
    assert len(large) == 9
    assert accumulated == pytest.approx(large, rel=1e-4)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "qwen3"])
def test_packed_rows_do_not_see_each_other(architecture: tiny_training.Architecture) -> None:
    params = tiny_training.write_project(architecture, batch_size=24, max_steps=1, seed=3)
    train.run(params)
    apart = curve("train/loss") + curve("validation/loss")
    train.run(tiny_training.params(Path("source"), batch_size=24, max_steps=1, seed=3, packing=True, max_length=128))
    assert curve("train/loss") + curve("validation/loss") == pytest.approx(apart, rel=1e-5)
    assert len(apart) == 2


def test_recomputed_activations_change_nothing() -> None:
    params = tiny_training.write_project()
    train.run(params)
    points = series()
    train.run(tiny_training.params(Path("source"), gradient_checkpointing=True))
    assert curve("train/loss") == pytest.approx([point["train/loss"] for point in points if "train/loss" in point])


def test_the_best_step_is_kept() -> None:
    params = tiny_training.write_project(
        peft="none", max_steps=8, learning_rate=1.0, lr_schedule="constant", eval_fraction=0.125, max_grad_norm=100.0
    )
    train.run(params)
    losses, result = curve("validation/loss"), metrics()
    assert len(losses) == 8
    assert losses[-1] > min(losses)
    assert result["validation/loss"] == min(losses)
    assert result["train/best_step"] == losses.index(min(losses)) + 1
    assert validation_loss(params) == pytest.approx(min(losses), abs=1e-5)


@pytest.mark.parametrize("peft", METHODS)
@pytest.mark.parametrize("dtype", ["auto", "float32", "bfloat16"])
def test_only_full_fine_tuning_that_is_left_to_us_trains_in_float32(peft: Any, dtype: Any) -> None:
    expected = "float32" if (peft, dtype) == ("none", "auto") else dtype
    assert training_dtype(peft, dtype, torch.device("cuda")) == expected
    assert training_dtype(peft, dtype, torch.device("cpu")) == dtype


@pytest.fixture
def _like_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Types as on CUDA: `auto` is bfloat16, unless every weight is trained."""

    def pick(dtype: str, device: torch.device) -> torch.dtype:
        return torch.float32 if dtype == "float32" else torch.bfloat16

    for module in (loading, sft):
        monkeypatch.setattr(module, "pick_dtype", pick)
    monkeypatch.setattr(sft, "training_dtype", lambda peft, dtype, _: training_dtype(peft, dtype, torch.device("cuda")))


@pytest.mark.usefixtures("_like_cuda")
def test_full_fine_tuning_keeps_what_bfloat16_would_lose() -> None:
    """At this learning rate a step is far below the last place of most weights."""
    unchanged = {}
    for dtype in ("auto", "bfloat16"):
        train.run(_params_of_dtype(dtype))
        base, trained = load_file(weight_files(paths.model_dir("base"))[0]), written_weights()
        assert {tensor.dtype for tensor in trained.values()} == {torch.bfloat16}
        assert json.loads((paths.model_dir("train") / "config.json").read_text())["dtype"] == "bfloat16"
        same = [int((trained[name] == base[name].bfloat16()).sum()) for name in trained]
        unchanged[dtype] = sum(same) / sum(tensor.numel() for tensor in trained.values())
    assert unchanged["auto"] < 0.5
    assert unchanged["bfloat16"] > 0.8


def _params_of_dtype(dtype: str) -> Params:
    params = tiny_training.write_project(peft="none", learning_rate=1e-5, lr_schedule="constant", max_steps=20)
    return params.model_copy(update={"base": params.base.model_copy(update={"dtype": dtype})})


@pytest.mark.usefixtures("_like_cuda")
def test_what_was_trained_in_float32_is_written_rounded_and_loads() -> None:
    params = tiny_training.write_project(peft="none")
    train.run(params)
    loaded = load_model(read_manifest(paths.model_dir("train")), params.base)
    assert loaded.model.dtype == torch.bfloat16
    assert metrics()["validation/loss"] == pytest.approx(validation_loss(params), rel=0.01)
    assert len({file.stat().st_mode for file in paths.model_dir("train").iterdir()}) == 1


def test_evaluation_comes_at_equal_shares_and_at_the_end() -> None:
    train.run(tiny_training.write_project(max_steps=7, eval_fraction=0.3, log_interval_steps=5))
    assert [point["step"] for point in series() if "validation/loss" in point] == [2, 4, 6, 7]
    assert [point["step"] for point in series() if "train/loss" in point] == [2, 4, 5, 6, 7]
    assert record()["num_steps"] == record()["step"] == 7


def test_epochs_decide_the_number_of_steps() -> None:
    train.run(tiny_training.write_project(max_steps=None, num_epochs=2.0, batch_size=5))
    assert metrics()["train/num_steps"] == 10


def test_objective_none_passes_the_base_on() -> None:
    train.run(tiny_training.write_project(objective="none"))
    base, manifest = read_manifest(paths.model_dir("base")), read_manifest(paths.model_dir("train"))
    assert list(written_files()) == ["model.json"]
    assert (manifest.stage, manifest.method, manifest.weights) == ("train", "base", base.weights)
    assert metrics() == {"train/num_steps": 0}
    assert record()["status"] == "done"


def test_a_soft_prompt_starts_from_a_text() -> None:
    soft = {"num_virtual_tokens": 4, "init": "text", "init_text": "list count files"}
    params = tiny_training.write_project(peft="prompt_tuning", prompt_tuning=soft, learning_rate=1e-9)
    train.run(params)
    loaded = load_model(read_manifest(paths.model_dir("train")), params.base)
    ids = loaded.tokenizer("list count files")["input_ids"]
    embeddings: Any = loaded.model.get_input_embeddings()
    table = embeddings.weight.detach()
    prompt = written_weights()["prompt_embeddings"]
    assert prompt.shape[0] == 4
    assert torch.allclose(prompt, table[[(ids * 4)[place] for place in range(4)]], atol=1e-6)


def test_a_loss_that_is_no_number_stops_the_stage() -> None:
    params = tiny_training.write_project()
    file = weight_files(paths.model_dir("base"))[0]
    weights = load_file(file)
    weights["model.layers.0.mlp.up_proj.weight"][:] = math.nan
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(StageError, match=r"train/loss is nan at step 1; lower train\.learning_rate"):
        train.run(params)
    assert [point["train/loss"] for point in series()] == [None]
    assert record()["status"] == "failed"
    assert "step 1" in record()["error"]
    assert not paths.model_dir("train").exists()


@pytest.mark.parametrize(
    ("max_length", "message"),
    [(8, "prompt is at least that long"), (18, "would never learn to stop")],
)
def test_a_length_that_leaves_nothing_to_learn_is_refused(max_length: int, message: str) -> None:
    params = tiny_training.write_project(max_length=max_length)
    for split in ("train", "validation"):
        tiny_training.write_split(split, 6, repeat=20)
    with pytest.raises(StageError, match=message):
        train.run(params)


def test_rows_fit_the_positions_of_the_base_model() -> None:
    params = tiny_training.write_project("gpt2", peft="prompt_tuning", max_length=512)
    tiny_training.write_split("train", 8)
    tiny_training.write_split("validation", 8, repeat=100)
    train.run(params)
    assert math.isfinite(metrics()["validation/loss"])


def _no_file(path: Path) -> None:
    path.unlink()


def _damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _empty(path: Path) -> None:
    tiny_training.write_split(path.stem, 0)


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(
    ("damage", "message"), [(_no_file, "no such file"), (_damaged, "cannot be read"), (_empty, "holds no rows")]
)
def test_a_split_that_cannot_be_used_is_named(split: str, damage: Any, message: str) -> None:
    params = tiny_training.write_project()
    damage(paths.split_file(split))
    with pytest.raises(StageError, match=rf"{split}\.parquet.*{message}"):
        train.run(params)


def test_modules_that_the_model_lacks_are_named() -> None:
    params = tiny_training.write_project(lora={"target_modules": ["no_such_module"]})
    with pytest.raises(StageError, match="no_such_module"):
        train.run(params)
