"""Padding on a model with learned positions, where a wrong position shows at once, without and with a soft prompt."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel

from pipeline.evals.encoding import EncodedExample
from pipeline.evals.likelihood import likelihoods
from pipeline.models.generation import Decoding, generate
from pipeline.models.loading import Model, load_adapter

PROMPTS = [[5, 6, 7, 8, 9, 10, 11], [12], [13, 14, 15]]
CONFIGS: dict[str, Any] = {
    "bare": None,
    "prompt_tuning": PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
    "prefix_tuning": PrefixTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
    "p_tuning": PromptEncoderConfig(num_virtual_tokens=3, encoder_hidden_size=8, task_type="CAUSAL_LM"),
}


def bare() -> Any:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=40, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.5)
    return GPT2LMHeadModel(config).eval()


@pytest.fixture(params=list(CONFIGS))
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Model]:
    config = CONFIGS[request.param]
    if config is None:
        yield bare()
        return
    get_peft_model(bare(), config).save_pretrained(tmp_path)
    yield load_adapter(bare(), tmp_path).eval()


def test_positions_count_from_each_rows_first_token(model: Model) -> None:
    examples = [EncodedExample(prompt, [20, 21, 22][: len(prompt)]) for prompt in PROMPTS]
    together = likelihoods(model, examples, 0)
    alone = [likelihoods(model, [example], 0)[0] for example in examples]
    for one, other in zip(together, alone, strict=True):
        assert abs(one.nats - other.nats) < 1e-4
    decoding = Decoding(10, [3], 0)
    assert generate(model, PROMPTS, decoding) == [generate(model, [prompt], decoding)[0] for prompt in PROMPTS]


def test_a_row_scores_as_in_the_librarys_own_forward(model: Any) -> None:
    prompt, completion = PROMPTS[0], [20, 21, 22]
    ids = torch.tensor([[*prompt, *completion]])
    with torch.inference_mode():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -len(completion) - 1 : -1]
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor(completion), reduction="sum")
    (found,) = likelihoods(model, [EncodedExample(prompt, completion)], 0)
    assert abs(found.nats - float(expected)) < 1e-4
