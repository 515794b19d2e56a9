"""A project in a folder with a tiny random base model and prepared rows, ready for the train stage."""

import random
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from pipeline.contract import paths
from pipeline.contract.loading import check_params
from pipeline.contract.params import Params
from pipeline.stages import base as base_stage

Architecture = Literal["gpt2", "llama", "qwen3"]
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "category": pa.string(),
        "prompt": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
        "completion": pa.string(),
        "num_tokens": pa.int64(),
    }
)
PREFERENCES_SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "category": pa.string(),
        "prompt": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
        "chosen": pa.string(),
        "rejected": pa.string(),
        "completion": pa.string(),
        "label": pa.bool_(),
        "num_tokens": pa.int64(),
    }
)
WORDS = ("list", "count", "files", "lines", "folder", "notes", "below", "size", "name", "user")


def params(source: Path, **train: Any) -> Params:
    """Params of a short training on the model in a folder."""
    defaults: dict[str, Any] = {"max_steps": 3, "batch_size": 4, "log_interval_steps": 1, "eval_fraction": 0.34}
    train_section = defaults | {"lora": {"r": 4, "alpha": 8.0}, "prompt_tuning": {"num_virtual_tokens": 4}} | train
    return check_params({"base": {"source": str(source)}, "train": train_section})


def write_project(architecture: Architecture = "qwen3", **train: Any) -> Params:
    """Write a base model and prepared rows into the working directory."""
    source = save_model(Path("source"), architecture)
    result = params(source, **train)
    base_stage.run(result)
    write_split("train", 24)
    write_split("validation", 6)
    return result


def save_model(directory: Path, architecture: Architecture) -> Path:
    """Save a tiny model with random weights and a tokenizer without chat template, as transformers does."""
    tokenizer = make_tokenizer(adds_begin=architecture == "llama")
    torch.manual_seed(0)
    model = _make_model(architecture, len(tokenizer))
    model.generation_config.eos_token_id = model.config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def make_tokenizer(*, adds_begin: bool = False) -> PreTrainedTokenizerFast:
    """Byte-level tokenizer; like GPT-2's by default, like Llama's with a begin token of its own that it adds."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    specials = ["<s>", "</s>"] if adds_begin else ["<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([" ".join(WORDS)] * 5, trainer)
    begin, end = specials[0], specials[-1]
    if adds_begin:
        bpe.post_processor = processors.TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=begin, eos_token=end)


def write_split(split: str, num_rows: int, *, repeat: int = 1) -> None:
    """Write a prepared split; `repeat` makes the answers longer."""
    rng = random.Random(split)
    rows = []
    for number in range(num_rows):
        prompt, answer = rng.sample(WORDS, rng.randint(1, 6)), rng.sample(WORDS, rng.randint(1, 3)) * repeat
        rows.append(
            {
                "id": f"{split}-{number:04}",
                "category": "all",
                "prompt": [{"role": "user", "content": " ".join(prompt)}],
                "completion": " ".join(answer),
                "num_tokens": 1,
            }
        )
    path = paths.split_file(split)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)


def write_preferences(split: str, num_rows: int, *, rated: bool = False) -> None:
    """Write comparisons as `prepare` does: good answers are made of the first words, bad ones of the others."""
    rng = random.Random(split)
    half = len(WORDS) // 2
    rows: list[dict[str, Any]] = []
    for number in range(num_rows):
        prompt = " ".join(rng.sample(WORDS, rng.randint(1, 6)))
        good, bad = (" ".join(rng.sample(words, rng.randint(1, 4))) for words in (WORDS[:half], WORDS[half:]))
        row = {"id": f"{split}-{number:04}", "category": ("short", "long")[number % 2], "num_tokens": 1}
        answers = {"completion": (bad, good)[number % 2], "label": bool(number % 2)}
        pair = {"chosen": good, "rejected": bad}
        rows.append(row | {"prompt": [{"role": "user", "content": prompt}]} | (answers if rated else pair))
    path = paths.preferences_file(split)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, PREFERENCES_SCHEMA), path)


def _make_model(architecture: Architecture, vocab_size: int) -> PreTrainedModel:
    if architecture == "gpt2":
        # Dropout off: comparisons between runs would need equal batches otherwise.
        off: dict[str, Any] = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        return GPT2LMHeadModel(
            GPT2Config(vocab_size=vocab_size, n_embd=32, n_layer=2, n_head=2, n_positions=128, **off)
        )
    shape: dict[str, Any] = {
        "vocab_size": vocab_size,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 256,
    }
    if architecture == "llama":
        return LlamaForCausalLM(LlamaConfig(**shape))
    return Qwen3ForCausalLM(Qwen3Config(**shape, tie_word_embeddings=True))
