"""Sections `base` and `teacher.starter`: which model is the start of everything."""

from typing import Literal

from pydantic import Field

from pipeline.contract.params.section import Section


class StarterModel(Section):
    """The small decoder that is pretrained when a source is `starter`."""

    architecture: Literal["qwen3", "llama"] = "qwen3"
    """Decoder architecture, as transformers implements it."""
    hidden_size: int = Field(128, ge=16, le=1024)
    """Width of the residual stream; a multiple of num_heads."""
    num_layers: int = Field(3, ge=1, le=24)
    """Number of decoder layers."""
    num_heads: int = Field(4, ge=1, le=32)
    """Number of attention heads; a multiple of num_kv_heads."""
    num_kv_heads: int = Field(2, ge=1, le=32)
    """Number of key and value heads (grouped-query attention)."""
    vocab_size: int = Field(1024, ge=300, le=32768)
    """Size of the byte-level BPE vocabulary, special tokens included."""
    num_documents: int = Field(40_000, ge=100, le=2_000_000)
    """Number of generated documents in the pretraining corpus."""
    num_steps: int = Field(1_300, ge=1)
    """Optimizer steps of pretraining."""
    batch_size: int = Field(32, ge=1)
    """Documents per pretraining step."""
    learning_rate: float = Field(3.0e-3, gt=0, le=1)
    """Peak AdamW learning rate (embeddings, norms)."""
    muon_learning_rate: float = Field(5.0e-3, ge=0, le=1)
    """Peak Muon learning rate (matrices); 0 trains the matrices with AdamW as well."""


class Base(Section):
    """Which base model is adapted."""

    source: str = Field("starter", min_length=1)
    """`starter`, a folder with a transformers model, or a hub id such as `Qwen/Qwen3-8B`."""
    revision: str | None = None
    """Commit, tag or branch on the hub; only for a hub id."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the weights in memory; `auto` is float32 on the CPU and while all weights are trained, else bfloat16."""
    trust_remote_code: bool = False
    """Run Python code that a hub repository brings along. Leave it off unless you have read that code."""
    chat_template: str | None = None
    """File with a Jinja chat template instead of the tokenizer's own; null adds one only where there is none."""
    starter: StarterModel = StarterModel()
    """Shape and pretraining of the starter model."""
    seed: int = Field(0, ge=0)
    """Seed of the starter's weights and corpus."""
