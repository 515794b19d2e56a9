"""The align stage on tiny random models: every objective moves what it should and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipeline.contract import paths
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Base
from pipeline.contract.problems import StageError
from pipeline.contract.series import decode_events
from pipeline.models.chat import encode_prompt, stop_token_id
from pipeline.models.generation import decoding_of, generate
from pipeline.models.loading import load_model, load_tokenizer
from pipeline.models.weights import hash_weights, weight_files
from pipeline.training.comparisons import Encoder, encode_pairs, encode_rated
from pipeline.training.policy_start import start_policy
from pipeline.training.preference import _Counts, _with_neighbours
from pipeline.training.rows import read_rows
from tests.unit import tiny_alignment, tiny_training

OBJECTIVES = ("dpo", "kto", "rloo", "grpo")
SOFT_PROMPTS = ("prompt_tuning", "p_tuning", "prefix_tuning")
CASES = [
    *((objective, "lora", "qwen3", "lora") for objective in OBJECTIVES),
    *((objective, "none", "gpt2", "lora") for objective in OBJECTIVES),
    *((objective, "continue", "llama", "lora") for objective in OBJECTIVES),
    *((objective, "continue", "qwen3", method) for objective in ("dpo", "grpo") for method in SOFT_PROMPTS),
    ("rloo", "continue", "gpt2", "prefix_tuning"),
    ("kto", "continue", "llama", "p_tuning"),
]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def greedy_answers() -> list[list[int]]:
    loaded = load_model(read_manifest(paths.model_dir("align")), Base(source="source"))
    prompts = [encode_prompt(loaded.tokenizer, row["prompt"]) for row in read_rows(paths.split_file("validation"))]
    return generate(loaded.model, prompts, decoding_of(loaded, 4))


@pytest.mark.parametrize(("objective", "peft", "architecture", "method"), CASES)
def test_alignment_moves_what_it_should_and_leaves_a_model_that_answers(
    objective: str, peft: str, architecture: Any, method: str
) -> None:
    tiny_alignment.write_start(architecture, method)
    before = {stage: tiny_alignment.files(stage) for stage in ("base", "train")}
    metrics = tiny_alignment.run(method, objective=objective, peft=peft)

    assert before == {stage: tiny_alignment.files(stage) for stage in ("base", "train")}
    start, aligned = read_manifest(paths.model_dir("train")), read_manifest(paths.model_dir("align"))
    last = aligned.lineage[-1]
    assert aligned.lineage[:-1] == start.lineage
    assert (last.stage, last.objective) == ("align", objective)
    assert last.method == {"lora": "lora", "none": "full", "continue": method}[peft]
    if peft == "none":
        assert not aligned.adapters
        assert aligned.weights == paths.model_dir("align").as_posix()
        assert aligned.weights_sha256 == hash_weights(weight_files(Path(aligned.weights))) != start.weights_sha256
        assert aligned.num_parameters == read_manifest(paths.model_dir("base")).num_parameters
    else:
        kept = start.adapters if peft == "lora" else start.adapters[:-1]
        assert aligned.adapters[:-1] == kept
        assert (aligned.weights, aligned.weights_sha256) == (start.weights, start.weights_sha256)
        assert last.frozen_sha256_before is not None
        assert last.frozen_sha256_before == last.frozen_sha256_after
        own = load_file(Path(aligned.adapters[-1].path) / "adapter_model.safetensors")
        assert sum(tensor.numel() for tensor in own.values()) == aligned.adapters[-1].num_parameters
        first = load_file(Path(start.adapters[-1].path) / "adapter_model.safetensors")
        assert own.keys() == first.keys()
        # Of a new adapter the first step changes one factor only: the other one is still multiplied by 0.
        moved = [name for name in own if peft == "continue" or ".lora_B." in name]
        assert moved
        assert all(not torch.equal(own[name], first[name]) for name in moved)
        assert aligned.num_parameters == start.num_parameters + (4096 if peft == "lora" else 0)
    assert all(0 < len(answer) <= 4 for answer in greedy_answers())
    assert metrics["align/num_steps"] == 2
    assert metrics["align_validation/kl"] > 0


@pytest.mark.parametrize(
    "objective",
    ["dpo", "grpo", pytest.param("kto", marks=pytest.mark.slow), pytest.param("rloo", marks=pytest.mark.slow)],
)
def test_equal_seeds_give_equal_bytes_and_another_seed_others(objective: str) -> None:
    tiny_alignment.write_start()
    section: dict[str, Any] = {"objective": objective, "watch": {"num_samples": 2}}
    first = tiny_alignment.run(**section)
    written, samples = tiny_alignment.files("align"), paths.samples_file("align").read_bytes()
    assert samples
    assert (tiny_alignment.run(**section), tiny_alignment.files("align")) == (first, written)
    assert paths.samples_file("align").read_bytes() == samples
    assert tiny_alignment.run(**section, seed=1) != first


def test_preferences_become_likelier() -> None:
    tiny_alignment.write_start("llama")
    metrics = tiny_alignment.run(objective="dpo", peft="none", max_steps=12, eval_fraction=1.0)
    assert metrics["align_validation/accuracy"] == 1.0
    assert metrics["align_validation/margin"] > 0.3
    assert metrics["align_validation/loss"] < 0.6
    assert tiny_alignment.curve("align/margin")[0] == 0.0
    assert metrics["align_validation/margin"] == pytest.approx(
        metrics["align_validation/chosen_reward"] - metrics["align_validation/rejected_reward"]
    )


def test_rated_answers_are_learned_from_too() -> None:
    tiny_alignment.write_start()
    for split, num_rows in (("train", 12), ("validation", 6)):
        tiny_training.write_preferences(split, num_rows, rated=True)
    metrics = tiny_alignment.run(objective="kto", max_steps=12, learning_rate=2e-2, eval_fraction=1.0)
    assert metrics["align_validation/margin"] > 0.1
    with pytest.raises(StageError, match=r"set align\.objective to kto"):
        tiny_alignment.run(objective="dpo")


@pytest.mark.parametrize("objective", ["dpo", "grpo"])
def test_a_policy_that_leaves_its_reference_is_stopped(objective: str) -> None:
    tiny_alignment.write_start()
    watch = {"num_samples": 0, "reward_collapse": "off", "kl": "stop", "max_kl": 1e-9}
    metrics = tiny_alignment.run(objective=objective, max_steps=6, watch=watch)
    assert metrics["align/stopped_early"] == 1
    assert metrics["align/num_steps"] == 3
    events = decode_events((paths.metrics_dir("align") / paths.SERIES_NAME).read_bytes())
    assert [(event.step, event.event, event.action) for event in events] == [(3, "kl", "stop")]


def test_several_losses_are_added() -> None:
    tiny_alignment.write_start()
    section: dict[str, Any] = {"objective": "dpo", "max_steps": 1}
    alone = [
        tiny_alignment.run(**section, dpo={"loss": [loss]})["align/loss"] for loss in ("sigmoid", "sft", "apo_zero")
    ]
    mixed = tiny_alignment.run(**section, dpo={"loss": ["sigmoid", "sft", "apo_zero"], "loss_weights": [1.0, 0.5, 2.0]})
    assert mixed["align/loss"] == pytest.approx(alone[0] + 0.5 * alone[1] + 2 * alone[2], rel=1e-5)


def test_none_hands_the_trained_model_on() -> None:
    tiny_alignment.write_start()
    assert tiny_alignment.run(objective="none") == {"align/num_steps": 0}
    assert tiny_alignment.files("align").keys() == {"model.json"}
    aligned, trained = read_manifest(paths.model_dir("align")), read_manifest(paths.model_dir("train"))
    assert (aligned.weights, aligned.adapters, aligned.lineage) == (trained.weights, trained.adapters, trained.lineage)
    assert paths.samples_file("align").read_bytes() == b""


def test_comparisons_are_the_tokens_that_evaluation_sees() -> None:
    tiny_alignment.write_start()
    tokenizer = load_tokenizer(paths.model_dir("base"))
    encoder = Encoder(tokenizer, 100, stop_token_id(tokenizer))
    rows = {row["id"]: row for row in read_rows_of_comparisons()}
    pairs, num_dropped = encode_pairs("train", encoder)
    assert (len(pairs), len(rows), num_dropped) == (12, 12, 0)
    for pair, row in zip(pairs, rows.values(), strict=True):
        assert pair["prompt_ids"] == encode_prompt(tokenizer, row["prompt"])
        for side in ("chosen", "rejected"):
            assert pair[f"{side}_ids"][-1] == encoder.stop_id
            assert tokenizer.decode(pair[f"{side}_ids"][:-1]) == row[side]
    assert len(encode_pairs("train", encoder, 5)[0]) == 5
    rated, _ = encode_rated("train", encoder)
    assert [row["completion_ids"] for row in rated if row["label"]] == [pair["chosen_ids"] for pair in pairs]
    assert [row["completion_ids"] for row in rated if not row["label"]] == [pair["rejected_ids"] for pair in pairs]


def read_rows_of_comparisons() -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(paths.preferences_file("train")).to_pylist()
    return rows


def test_long_comparisons_are_dropped_whole_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    tiny_alignment.write_start()
    tokenizer = load_tokenizer(paths.model_dir("base"))
    stop_id = stop_token_id(tokenizer)
    whole, _ = encode_pairs("train", Encoder(tokenizer, 100, stop_id))
    lengths = [length_of(pair) for pair in whole]
    limit = max(lengths) - 1
    kept = [pair for pair, length in zip(whole, lengths, strict=True) if length <= limit]
    assert 0 < len(kept) < len(whole)
    encoder = Encoder(tokenizer, limit, stop_id)
    assert encode_pairs("train", encoder) == (kept, len(whole) - len(kept))
    rated, num_dropped = encode_rated("train", encoder)
    assert (len(rated), num_dropped) == (2 * len(kept), len(whole) - len(kept))
    assert all(row["completion_ids"][-1] == stop_id for row in rated)
    tiny_alignment.run(objective="kto", max_length=limit, max_steps=1, rollout={"max_new_tokens": 2})
    assert f"align: {len(rated)} rated answers; {num_dropped} comparisons" in capsys.readouterr().out
    with pytest.raises(StageError, match=r"^align\.max_length"):
        encode_pairs("train", Encoder(tokenizer, 2, stop_id))


def length_of(pair: dict[str, list[int]]) -> int:
    return len(pair["prompt_ids"]) + max(len(pair["chosen_ids"]), len(pair["rejected_ids"]))


def test_without_comparisons_the_way_out_is_said() -> None:
    tiny_alignment.write_start()
    paths.preferences_file("validation").unlink()
    with pytest.raises(StageError, match=r"preferences-validation.parquet: no such file.*prepare.preferences.source"):
        tiny_alignment.run(objective="dpo")


def test_the_reference_has_the_earlier_adapters_in_it_and_shares_frozen_weights() -> None:
    tiny_alignment.write_start()
    start = read_manifest(paths.model_dir("train"))
    loaded = load_model(start, Base(source="source"))
    ids = torch.tensor([encode_prompt(loaded.tokenizer, [{"role": "user", "content": "list files"}])])
    expected = loaded.model(ids).logits
    for peft, is_shared in (("lora", True), ("none", False), ("continue", True)):
        policy = start_policy(tiny_alignment.params(objective="grpo", peft=peft).align, start, Base(source="source"))
        torch.testing.assert_close(policy.reference(ids).logits, expected)
        own = {parameter.data_ptr() for parameter in policy.model.parameters()}
        others = {parameter.data_ptr() for parameter in policy.reference.parameters()}
        assert bool(own & others) is is_shared
        assert not any(parameter.requires_grad for parameter in policy.reference.parameters())
        trainable = [name for name, parameter in policy.model.named_parameters() if parameter.requires_grad]
        assert all("lora_" in name for name in trainable) if peft == "continue" else bool(trainable) is (peft == "none")


def rated(*prompts: int) -> list[dict[str, Any]]:
    return [{"prompt_ids": [7, prompt], "completion_ids": [place]} for place, prompt in enumerate(prompts)]


def neighbours(rows: list[dict[str, Any]], batch_size: int) -> list[int]:
    return [row["KL_completion_ids"][0] for row in _with_neighbours(rows, batch_size)]


def test_the_baseline_of_kto_is_made_of_answers_to_other_prompts() -> None:
    # As pairs come: the good answer, then the bad one. Dealt around, no answer is more common than another.
    assert neighbours(rated(1, 1, 2, 2, 3, 3, 4, 4), 4) == [2, 3, 0, 1, 6, 7, 4, 5]
    assert neighbours(rated(1, 2, 3), 4) == [2, 0, 1]
    # A last batch of one row, one of a single prompt, and one where a prompt has most of the rows.
    assert neighbours(rated(1, 2, 3), 2) == [1, 0, 1]
    assert neighbours(rated(1, 1, 2, 2), 2) == [3, 3, 1, 1]
    rows = rated(1, 1, 1, 2, 3, 3, 4, 1)
    for batch_size in range(1, 9):
        others = neighbours(rows, batch_size)
        assert all(rows[other]["prompt_ids"] != row["prompt_ids"] for row, other in zip(rows, others, strict=True))
    assert neighbours(rated(1, 1), 2) == [1, 0]


def test_means_over_batches_become_means_over_rows() -> None:
    counts = _Counts([], [])
    for num_rows, num_good in ((4, 1), (2, 0)):
        counts.add({"input_ids": [0] * num_rows, "label": torch.tensor([1] * num_good + [0] * (num_rows - num_good))})
    metrics = {"rewards/chosen": [3.0], "rewards/rejected": [1.0, 2.0], "entropy": [1.0, 4.0], "rewards/margins": [2.0]}
    counts.exact(metrics)
    assert metrics["rewards/rejected"] == [pytest.approx((3 * 1.0 + 2 * 2.0) / 5)]
    assert metrics["entropy"] == [pytest.approx(2.0)]
    assert metrics["rewards/margins"] == [pytest.approx(3.0 - 7 / 5)]
