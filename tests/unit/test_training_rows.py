"""Which tokens carry loss, and in which order rows come."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from pipeline.contract import paths
from pipeline.models.chat import encode_prompt, stop_token_id
from pipeline.models.loading import load_tokenizer
from pipeline.training.rows import IGNORED, encode_split
from pipeline.training.sampling import LengthBucketSampler
from tests.unit import tiny_training


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "qwen3"])
def test_exactly_the_completion_and_the_stop_token_carry_loss(
    architecture: tiny_training.Architecture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_training.write_project(architecture)
    tokenizer = load_tokenizer(paths.model_dir("base"))
    rows = pq.read_table(paths.split_file("train")).to_pylist()
    split = encode_split(paths.split_file("train"), tokenizer, 512)
    examples = [{"input_ids": i, "labels": x} for i, x in zip(split.input_ids, split.labels, strict=True)]
    batch = DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id)(examples)
    assert len(rows) == len(batch["labels"]) == 24
    for row, ids, labels in zip(rows, batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        trained = [label for label in labels if label != IGNORED]
        assert trained == [
            *tokenizer(row["completion"], add_special_tokens=False)["input_ids"],
            stop_token_id(tokenizer),
        ]
        start = len(encode_prompt(tokenizer, row["prompt"]))
        assert ids[:start] == encode_prompt(tokenizer, row["prompt"])
        assert labels[start : start + len(trained)] == trained


def test_long_rows_are_cut_and_rows_without_an_answer_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_training.write_project()
    tokenizer = load_tokenizer(paths.model_dir("base"))
    whole = encode_split(paths.split_file("train"), tokenizer, 512)
    prompts = [labels.count(IGNORED) for labels in whole.labels]
    limit = sorted(prompts)[18]
    cut = encode_split(paths.split_file("train"), tokenizer, limit)
    assert cut.num_dropped == sum(length >= limit for length in prompts) > 0
    assert cut.num_truncated == sum(len(ids) > limit for ids in whole.input_ids) - cut.num_dropped > 0
    assert max(map(len, cut.input_ids)) == limit


@given(st.lists(st.integers(1, 500), max_size=300), st.integers(1, 40), st.integers(0, 5))
def test_every_epoch_has_every_row_once(lengths: list[int], batch_size: int, seed: int) -> None:
    sampler = LengthBucketSampler(lengths, batch_size, seed)
    first = list(sampler)
    assert Counter(first) == Counter(range(len(lengths)))
    assert list(LengthBucketSampler(lengths, batch_size, seed)) == first
    sampler.set_epoch(1)
    assert Counter(sampler) == Counter(range(len(lengths)))


def test_batches_hold_rows_of_like_length_in_random_order() -> None:
    lengths = [row % 97 for row in range(1000)]
    sampler = LengthBucketSampler(lengths, 10, seed=0)
    order = [lengths[row] for row in sampler]
    batches = [order[start : start + 10] for start in range(0, 1000, 10)]
    assert sum(max(batch) - min(batch) for batch in batches) / len(batches) < 5
    means = [sum(batch) / 10 for batch in batches]
    assert means != sorted(means)
    sampler.set_epoch(1)
    assert [lengths[row] for row in sampler] != order
