"""Attention over packed rows: equal to that over rows alone; a stand-in computes what CUDA's kernel would."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.attention import varlen
from transformers import GPT2Config, LlamaConfig, LlamaForCausalLM, MistralConfig, Qwen3Config, Qwen3ForCausalLM
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from pipeline.contract import paths
from pipeline.models import varlen as our_varlen
from pipeline.models.varlen import NAME, attend_to_documents, is_plain, register
from pipeline.stages import train
from tests.unit import tiny_training

SHAPE: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
DOCUMENTS = [[5, 9, 3, 7], [8, 2, 6], [11, 4, 13, 17, 19]]


class Kernel:
    """Does for each document alone what `varlen_attn` is documented to do, and checks what that would demand."""

    def __init__(self) -> None:
        self.num_calls = 0

    def __call__(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        starts: torch.Tensor,
        key_starts: torch.Tensor,
        longest: int,
        longest_key: int,
        *,
        scale: float | None,
        window_size: tuple[int, int],
        enable_gqa: bool,
    ) -> torch.Tensor:
        assert window_size == (-1, 0)
        assert starts.dtype == torch.int32
        assert torch.equal(starts, key_starts)
        assert longest == longest_key == int(starts.diff().max())
        assert enable_gqa == (query.shape[1] != key.shape[1])
        assert starts[-1] == len(query) == len(key)
        self.num_calls += 1
        bounds = list(zip(starts.tolist(), starts[1:].tolist(), strict=False))
        attend: Any = torch.nn.functional.scaled_dot_product_attention
        parts = []
        for first, last in bounds:
            document = [part[first:last].transpose(0, 1) for part in (query, key, value)]
            parts.append(attend(*document, is_causal=True, scale=scale, enable_gqa=enable_gqa).transpose(0, 1))
        return torch.cat(parts)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(varlen, "varlen_attn", kernel)
    register()
    return kernel


@pytest.fixture(params=["qwen3", "llama"])
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    if request.param == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**SHAPE, initializer_range=0.4))
    return LlamaForCausalLM(LlamaConfig(**SHAPE, initializer_range=0.4))


def packed() -> dict[str, Any]:
    collator = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
    rows = [{"input_ids": DOCUMENTS[0] + DOCUMENTS[1], "seq_lengths": [4, 3]}, {"input_ids": DOCUMENTS[2]}]
    rows[1]["seq_lengths"] = [5]
    return dict(collator(rows))


def logits_and_gradient(model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    model.zero_grad()
    output = model(**{name: value for name, value in inputs.items() if name != "labels"}, use_cache=False).logits
    output.square().mean().backward()
    return output.detach(), model.model.layers[0].self_attn.k_proj.weight.grad.clone()


def test_packed_documents_do_not_see_each_other(model: Any, kernel: Kernel) -> None:
    by_mask = logits_and_gradient(model, packed())
    alone = torch.cat([model(torch.tensor([ids])).logits.detach() for ids in DOCUMENTS], dim=1)
    assert kernel.num_calls == 0
    model.set_attn_implementation(NAME)
    by_kernel = logits_and_gradient(model, packed())
    assert kernel.num_calls == model.config.num_hidden_layers
    torch.testing.assert_close(by_kernel[0], alone, atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(by_kernel, by_mask, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_padded_rows_and_answers_are_as_ever(model: Any, kernel: Kernel) -> None:
    ids = torch.tensor([[0, 5, 9, 3], [8, 2, 6, 4]])
    inputs = {"input_ids": ids, "attention_mask": torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]])}

    def said() -> tuple[torch.Tensor, torch.Tensor]:
        answers = model.generate(**inputs, max_new_tokens=4, do_sample=False, pad_token_id=0, eos_token_id=63)
        return model(**inputs).logits[inputs["attention_mask"] == 1], answers

    before = said()
    model.set_attn_implementation(NAME)
    after = said()
    torch.testing.assert_close(after[0], before[0])
    assert torch.equal(after[1], before[1])
    assert kernel.num_calls == 0


def test_the_name_is_in_no_file(model: Any, kernel: Kernel) -> None:
    del kernel
    model.set_attn_implementation(NAME)
    assert NAME not in model.config.to_json_string()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (Qwen3Config(**SHAPE), True),
        (LlamaConfig(**SHAPE), True),
        (LlamaConfig(**SHAPE | {"attention_dropout": 0.1}), False),
        (LlamaConfig(**SHAPE | {"head_dim": 12}), False),
        (MistralConfig(**SHAPE, sliding_window=16), False),
        (Qwen3Config(**SHAPE, use_sliding_window=True, sliding_window=4, max_window_layers=1), False),
        (GPT2Config(), False),
    ],
)
def test_other_kinds_of_attention_are_left_alone(config: Any, expected: bool) -> None:
    assert is_plain(config) is expected


def test_without_cuda_nothing_changes(model: Any) -> None:
    assert not attend_to_documents(model, torch.device("cpu"))
    assert model.config._attn_implementation == "sdpa"


def test_a_training_on_packed_rows_comes_to_the_same(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = tiny_training.write_project(packing=True, max_length=128, batch_size=2, max_steps=2, eval_fraction=1.0)

    def trained() -> dict[str, float]:
        train.run(params)
        return dict(json.loads((paths.metrics_dir("train") / paths.METRICS_NAME).read_bytes()))

    by_mask = trained()
    assert kernel.num_calls == 0
    monkeypatch.setattr(our_varlen, "_is_able", lambda _: True)
    by_kernel = trained()
    # Two layers, in two steps and one evaluation of one batch.
    assert kernel.num_calls == 6
    assert by_kernel == pytest.approx(by_mask, rel=1e-4)
