"""The starter's first attention weights: like tokens are found, and what is found is passed on."""

from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from pipeline.contract.params import StarterModel
from pipeline.data.shell import corpus_documents
from pipeline.models.starter import build_model
from pipeline.models.starter_tokenizer import train_tokenizer


def model_of(architecture: str) -> Any:
    torch.manual_seed(0)
    tokenizer = train_tokenizer(corpus_documents(100, 0), 300)
    shape = {"hidden_size": 64, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "architecture": architecture}
    return build_model(StarterModel.model_validate(shape), tokenizer)


@pytest.mark.parametrize("architecture", ["qwen3", "llama"])
def test_attention_prefers_like_tokens_and_passes_them_on(architecture: str) -> None:
    model = model_of(architecture)
    tokens = torch.randn(50, 64)
    for layer in model.base_model.layers:
        attention = layer.self_attn
        queries = attention.q_proj(tokens).view(50, 4, 16)
        keys = attention.k_proj(tokens).view(50, 2, 16).repeat_interleave(2, 1)
        scores = torch.einsum("qhd,khd->hqk", queries, keys)
        found = (scores.argmax(-1) == torch.arange(50)).float().mean()
        assert found > 0.5
        values = attention.v_proj(tokens).view(50, 2, 16).repeat_interleave(2, 1)
        passed_on = attention.o_proj(values.reshape(50, 64))
        assert torch.cosine_similarity(passed_on, tokens).mean() > 0.5


def test_layers_differ_and_the_seed_decides_them() -> None:
    first, second = (layer.self_attn.q_proj.weight for layer in model_of("qwen3").base_model.layers)
    assert not torch.equal(first, second)
    assert torch.equal(first, model_of("qwen3").base_model.layers[0].self_attn.q_proj.weight)


def test_llama_is_built_when_asked_for() -> None:
    assert isinstance(model_of("llama"), LlamaForCausalLM)
