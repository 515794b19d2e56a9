"""A project in a folder with a tiny random model, as the stages before evaluate leave it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import torch
from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from pipeline.contract import paths
from pipeline.contract.manifest import Adapter, Manifest
from pipeline.contract.params import Base
from pipeline.models.loading import load_weights
from pipeline.models.materialise import finish_base
from pipeline.models.starter_tokenizer import train_tokenizer
from pipeline.models.weights import count_parameters, hash_weights, weight_files

# A second thread only waits for the first one here.
torch.set_num_threads(1)

ROWS = [
    ("list all files", "ls -a", "files"),
    ("count the lines of notes.txt", "wc -l notes.txt", "text"),
    ("show the working directory", "pwd", "files"),
    ("find every python file below src that changed within the last day", "find src -name '*.py' -mtime -1", "search"),
    ("disk usage", "du -sh .", "files"),
]


def write_base() -> Manifest:
    """Write data/models/base with random weights."""
    tokenizer = train_tokenizer((text for row in ROWS for text in row), 400)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.4,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(paths.model_dir("base"))
    return finish_base(paths.model_dir("base"), tokenizer, Base(), None)


def write_untouched(base: Manifest) -> Manifest:
    """Write data/models/train as a stage that trained nothing."""
    return _write_train(base, "base", (), base.weights, 0)


def write_lora(base: Manifest) -> Manifest:
    """Write data/models/train with an adapter whose every matrix is random."""
    return _write_adapter(base, "lora", LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))


def write_prompt_tuning(base: Manifest) -> Manifest:
    """Write data/models/train with a random soft prompt."""
    return _write_adapter(base, "prompt_tuning", PromptTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM"))


def write_ia3(base: Manifest) -> Manifest:
    """Write data/models/train with random factors."""
    targets = ["k_proj", "v_proj", "down_proj"]
    return _write_adapter(
        base, "ia3", IA3Config(target_modules=targets, feedforward_modules=["down_proj"], task_type="CAUSAL_LM")
    )


def write_prefix_tuning(base: Manifest) -> Manifest:
    """Write data/models/train with a random prefix."""
    return _write_adapter(base, "prefix_tuning", PrefixTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM"))


def write_p_tuning(base: Manifest) -> Manifest:
    """Write data/models/train with the soft prompt of a random network."""
    config = PromptEncoderConfig(num_virtual_tokens=5, encoder_hidden_size=16, task_type="CAUSAL_LM")
    return _write_adapter(base, "p_tuning", config)


def write_full(base: Manifest) -> Manifest:
    """Write data/models/train with other weights."""
    model: Any = _load(base)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    folder = paths.model_dir("train") / "weights"
    model.save_pretrained(folder)
    return _write_train(base, "full", (), folder.as_posix(), base.num_parameters)


def write_test_split(rows: Iterable[tuple[str, str, str]] = ROWS) -> None:
    """Write data/prepared/test.parquet."""
    table = [
        {
            "id": f"{number:04}",
            "category": category,
            "prompt": [{"role": "user", "content": prompt}],
            "completion": completion,
            "num_tokens": 1,
        }
        for number, (prompt, completion, category) in enumerate(rows)
    ]
    path = paths.split_file("test")
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(table).write_parquet(path)


def write_empty_test_split() -> None:
    """Write a test split without rows."""
    write_test_split()
    path = paths.split_file("test")
    pl.read_parquet(path).clear().write_parquet(path)


def _load(base: Manifest) -> Any:
    return load_weights(Path(base.weights), "float32", torch.device("cpu"))


def _write_adapter(base: Manifest, method: str, config: Any) -> Manifest:
    model = get_peft_model(_load(base), config)
    torch.manual_seed(2)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with torch.no_grad():
        for parameter in trained:
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    folder = paths.model_dir("train") / "adapter"
    model.save_pretrained(folder)
    num = sum(parameter.numel() for parameter in trained)
    return _write_train(base, method, (Adapter(folder.as_posix(), method, num),), base.weights, num)


def _write_train(
    base: Manifest, method: str, adapters: tuple[Adapter, ...], weights: str, num_trainable: int
) -> Manifest:
    num_adapter = sum(adapter.num_parameters for adapter in adapters)
    manifest = Manifest(
        stage="train",
        base_source=base.base_source,
        base_revision=None,
        weights=weights,
        tokenizer=base.tokenizer,
        method=method,
        adapters=adapters,
        num_parameters=count_parameters(Path(base.weights)) + num_adapter,
        num_trainable_parameters=num_trainable,
        weights_sha256=hash_weights(weight_files(Path(weights))),
    )
    for stage in ("train", "align"):
        paths.model_dir(stage).mkdir(parents=True, exist_ok=True)
        replace(manifest, stage=stage).write(paths.model_dir(stage))
    return manifest
