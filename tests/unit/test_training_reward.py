"""The reward stage on tiny random models: what it learns, what it writes, what it refuses."""

import doctest
import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from pipeline.contract import paths
from pipeline.contract.handing_on import pass_on
from pipeline.contract.loading import check_params
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Params
from pipeline.contract.problems import StageError
from pipeline.models.chat import encode_example, stop_token_id
from pipeline.models.reward_model import load_reward_model, score
from pipeline.models.weights import hash_weights, weight_files
from pipeline.stages import reward, train
from pipeline.training import pair_scores
from pipeline.training.pair_scores import PairScore, by_category, summarise
from tests.unit import tiny_training

METHODS = (("bradley_terry", "lora"), ("bradley_terry", "none"), ("likelihood", "lora"), ("likelihood", "none"))
DIRECTORY = paths.model_dir("reward")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_project(architecture: tiny_training.Architecture = "qwen3", **section: Any) -> Params:
    """A project with comparisons, whose train stage passed the base on; gives params that train a reward model."""
    params = tiny_training.write_project(architecture)
    pass_on(read_manifest(paths.model_dir("base")), "train", paths.model_dir("train"))
    for split, num_rows in (("train", 80), ("validation", 21), ("test", 30)):
        tiny_training.write_preferences(split, num_rows)
    return with_reward(params, **section)


def with_reward(params: Params, **section: Any) -> Params:
    values = params.model_dump()
    defaults = {"objective": "bradley_terry", "batch_size": 8, "max_steps": 20, "learning_rate": 1e-2}
    values["reward"] |= defaults | {"eval_fraction": 0.25, "log_interval_steps": 5} | section
    values["reward"]["lora"] |= {"r": 4}
    return check_params(values)


def metrics() -> dict[str, Any]:
    return dict(json.loads((paths.metrics_dir("reward") / paths.METRICS_NAME).read_text()))


def categories() -> dict[str, Any]:
    values = json.loads((paths.metrics_dir("reward") / paths.CATEGORIES_NAME).read_text())
    return dict(values["category"])


def rows_of(split: str) -> list[dict[str, Any]]:
    return list(pq.read_table(paths.preferences_file(split)).to_pylist())


def margins(split: str, *, batch_size: int = 64) -> list[float]:
    """Leads of the chosen answers, scored by the model that the stage wrote."""
    model, tokenizer = load_reward_model(DIRECTORY, CPU)
    rows = rows_of(split)
    prompts = [row["prompt"] for row in rows]
    chosen = score(model, tokenizer, prompts, [row["chosen"] for row in rows], batch_size)
    rejected = score(model, tokenizer, prompts, [row["rejected"] for row in rows], batch_size)
    return [better - worse for better, worse in zip(chosen, rejected, strict=True)]


@pytest.mark.parametrize(("objective", "peft"), METHODS)
@pytest.mark.parametrize("architecture", ["gpt2", pytest.param("llama", marks=pytest.mark.slow), "qwen3"])
def test_a_reward_model_learns_to_rank_and_loads_by_itself(
    architecture: tiny_training.Architecture, objective: str, peft: str
) -> None:
    learning_rate = 1e-2 if peft == "lora" else 2e-2
    params = write_project(architecture, objective=objective, peft=peft, learning_rate=learning_rate)
    train.run(params)
    before = hash_weights(weight_files(paths.model_dir("base")))
    reward.run(params)
    assert hash_weights(weight_files(paths.model_dir("base"))) == before

    found = metrics()
    assert found["pairs/accuracy"] > 0.7
    assert 0 < found["pairs/loss"] < math.log(2)
    leads = margins("test")
    assert found["pairs/accuracy"] == sum(lead > 0 for lead in leads) / len(leads)
    assert found["pairs/margin"] == pytest.approx(sum(leads) / len(leads), abs=1e-5)
    assert found["reward_validation/margin"] == pytest.approx(sum(margins("validation")) / 21, abs=1e-4)
    assert found["pairs/num_pairs"] == sum(category["num_pairs"] for category in categories().values()) == 30
    assert set(categories()) == {"long", "short"}

    auto: Any = AutoModelForCausalLM if objective == "likelihood" else AutoModelForSequenceClassification
    plain = auto.from_pretrained(DIRECTORY)
    assert plain.config.pad_token_id == AutoTokenizer.from_pretrained(DIRECTORY).pad_token_id
    assert plain.config.num_labels == (2 if objective == "likelihood" else 1)
    manifest = read_manifest(DIRECTORY)
    assert [step.stage for step in manifest.lineage] == ["train", "reward"]
    assert (manifest.method, manifest.adapters) == ("full" if peft == "none" else "lora", ())
    assert manifest.num_parameters == sum(parameter.numel() for parameter in plain.parameters())
    assert (manifest.num_trainable_parameters == manifest.num_parameters) is (peft == "none")
    assert manifest.num_trainable_parameters > 0
    assert manifest.weights_sha256 == hash_weights(weight_files(DIRECTORY))


@pytest.mark.parametrize("objective", ["bradley_terry", "likelihood"])
@pytest.mark.parametrize("architecture", ["gpt2", "llama", "qwen3"])
def test_a_score_does_not_depend_on_the_batch(architecture: tiny_training.Architecture, objective: str) -> None:
    """Padding by the end-of-text token, as GPT-2 and Llama do, included."""
    reward.run(write_project(architecture, objective=objective, max_steps=1))
    model, tokenizer = load_reward_model(DIRECTORY, CPU)
    rows = rows_of("test")
    prompts, answers = [row["prompt"] for row in rows], [row["chosen"] for row in rows]
    together = score(model, tokenizer, prompts, answers)
    alone = [score(model, tokenizer, [prompt], [answer])[0] for prompt, answer in zip(prompts, answers, strict=True)]
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-6)
    assert len({round(value, 7) for value in together}) > 20
    assert score(model, tokenizer, [], []) == []


def test_the_score_is_read_at_the_end_of_the_answer() -> None:
    reward.run(write_project("gpt2", max_steps=2))
    model, tokenizer = load_reward_model(DIRECTORY, CPU)
    prompt = [{"role": "user", "content": "list files"}]
    short, long = score(model, tokenizer, [prompt, prompt], ["count", "count lines"])
    assert short != pytest.approx(long, abs=1e-4)


def test_a_likelihood_is_the_geometric_mean_of_the_probabilities_of_the_answer() -> None:
    reward.run(write_project("gpt2", objective="likelihood", max_steps=1))
    model, tokenizer = load_reward_model(DIRECTORY, CPU)
    row = rows_of("test")[0]
    prompt, answer = encode_example(tokenizer, row["prompt"], row["chosen"], stop_token_id(tokenizer))
    with torch.no_grad():
        logits = model(torch.tensor([prompt + answer])).logits[0]
    log_probs = logits.log_softmax(-1)[range(len(prompt) - 1, len(prompt + answer) - 1), answer]
    expected = math.exp(float(log_probs.mean()))
    assert score(model, tokenizer, [row["prompt"]], [row["chosen"]])[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("objective", ["bradley_terry", "likelihood"])
def test_a_row_beyond_the_positions_is_cut_in_front(objective: str) -> None:
    reward.run(write_project("gpt2", objective=objective, max_steps=1))
    model, tokenizer = load_reward_model(DIRECTORY, CPU)
    rows = [[{"role": "user", "content": word * 200}] for word in ("list ", "size ")]
    first, second = score(model, tokenizer, rows, ["count " * 200] * 2)
    assert first == pytest.approx(second, abs=1e-6)
    assert math.isfinite(first)


@pytest.mark.parametrize(("objective", "peft"), METHODS)
def test_equal_runs_give_equal_files(objective: str, peft: str) -> None:
    params = write_project(objective=objective, max_steps=4, peft=peft)

    def files() -> dict[str, bytes]:
        reward.run(params)
        return {path.name: path.read_bytes() for path in sorted(DIRECTORY.iterdir())}

    first, figures = files(), metrics()
    assert files() == first
    assert metrics() == figures
    reward.run(with_reward(params, objective=objective, max_steps=4, peft=peft, seed=1))
    assert (DIRECTORY / "model.safetensors").read_bytes() != first["model.safetensors"]


def test_the_best_step_is_kept_and_the_base_of_the_adapter_is_what_train_left() -> None:
    """Where the validation pairs say the opposite, the first evaluation stays the best one."""
    params = write_project(max_steps=8)
    file = paths.preferences_file("validation")
    table = pq.read_table(file)
    turned = {"chosen": "rejected", "rejected": "chosen"}
    pq.write_table(table.rename_columns([turned.get(name, name) for name in table.column_names]), file)
    reward.run(params)
    found = metrics()
    assert (found["reward/best_step"], found["reward/num_steps"]) == (2, 8)
    leads = margins("validation")
    loss = sum(math.log1p(math.exp(-abs(lead))) + max(-lead, 0.0) for lead in leads) / len(leads)
    assert loss == pytest.approx(found["reward_validation/loss"], rel=1e-4)


@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_an_adapter_that_changes_its_base_is_merged_whole(init: str) -> None:
    params = write_project(max_steps=4, lora={"init": init})
    reward.run(params)
    assert metrics()["reward_validation/margin"] == pytest.approx(sum(margins("validation")) / 21, abs=1e-4)


def test_pairs_that_are_too_long_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    params = write_project(max_steps=2, max_length=26)
    capsys.readouterr()
    reward.run(params)
    said = capsys.readouterr().out.splitlines()[0]
    num_pairs, num_dropped = int(said.split()[1]), int(said.split()[3])
    assert num_pairs + num_dropped == 80
    assert 0 < num_dropped < 80
    assert metrics()["pairs/num_pairs"] == 30
    with pytest.raises(StageError, match=r"reward\.max_length: every comparison in .* is longer than 8 tokens"):
        reward.run(with_reward(params, max_length=8))


def test_the_weights_of_all_layers_are_used() -> None:
    reward.run(write_project(max_steps=2))
    names = set(load_file(DIRECTORY / "model.safetensors"))
    assert "score.weight" in names
    assert not [name for name in names if "lora" in name or "lm_head" in name or "base_layer" in name]


def test_a_soft_prompt_is_refused() -> None:
    params = tiny_training.write_project(peft="prompt_tuning")
    train.run(params)
    tiny_training.write_preferences("train", 8)
    values = params.model_dump()
    values["train"]["peft"] = "lora"  # what the rules see; the model on disk is another one
    with pytest.raises(StageError, match=r"ends in a soft prompt \(prompt_tuning\).*set train\.peft to lora, ia3 or"):
        reward.run(with_reward(check_params(values)))


def test_rated_answers_and_missing_files_are_refused() -> None:
    params = write_project()
    for split in ("train", "validation"):
        tiny_training.write_preferences(split, 8, rated=True)
    with pytest.raises(StageError, match="holds single rated answers, and a reward model compares two; give prepare"):
        reward.run(params)
    paths.preferences_file("train").unlink()
    with pytest.raises(StageError, match="no such file, and a reward model learns from it"):
        reward.run(params)


def test_modules_that_are_not_there_are_refused() -> None:
    with pytest.raises(StageError, match=r"reward\.lora\.target_modules is \['c_attn'\]: No modules"):
        reward.run(write_project(lora={"target_modules": ["c_attn"]}))


def test_something_else_is_no_reward_model() -> None:
    tiny_training.write_project()
    with pytest.raises(StageError, match="data/models/base: not a reward model; run dvc repro -f reward"):
        load_reward_model(paths.model_dir("base"), CPU)
    with pytest.raises(StageError, match="nowhere: no reward model here; set reward"):
        load_reward_model(Path("nowhere"), CPU)


def test_without_an_objective_nothing_is_made() -> None:
    reward.run(check_params({}))
    assert read_manifest(DIRECTORY).method == "none"
    assert (metrics(), categories()) == ({"reward/num_steps": 0}, {})
    assert [path.name for path in DIRECTORY.iterdir()] == ["model.json"]
    assert (paths.metrics_dir("reward") / paths.SERIES_TABLE_NAME).is_file()


def test_figures_of_pairs() -> None:
    values = (("b", 2.0, 1.0), ("a", 0.0, 1.0), ("b", 1.0, 1.0), ("a", 3.0, 0.0))
    scores = [PairScore(category, chosen, rejected, chosen - rejected) for category, chosen, rejected in values]
    found = summarise(scores)
    assert (found["accuracy"], found["margin"], found["num_pairs"]) == (0.5, 0.75, 4)
    expected = -sum(math.log(1 / (1 + math.exp(-margin))) for margin in (1, -1, 0, 3)) / 4
    assert found["loss"] == pytest.approx(expected)
    assert found["reward"] == 1.125
    assert found["reward_std"] == pytest.approx(0.9270248)
    assert by_category(scores) == {
        "a": {"accuracy": 0.5, "margin": 1.0, "num_pairs": 2},
        "b": {"accuracy": 0.5, "margin": 0.5, "num_pairs": 2},
    }
    assert summarise([PairScore("", -1e6, 1e6, -2e6)])["loss"] == 2e6
    assert doctest.testmod(pair_scores).failed == 0
