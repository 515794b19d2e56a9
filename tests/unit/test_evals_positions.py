"""Padding on a model with learned positions, where a wrong position shows at once."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from pipeline.evals.encoding import EncodedExample
from pipeline.evals.likelihood import likelihoods
from pipeline.models.generation import Decoding, generate

PROMPTS = [[5, 6, 7, 8, 9, 10, 11], [12], [13, 14, 15]]


def model() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=40, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.5)
    return GPT2LMHeadModel(config).eval()


def test_positions_count_from_each_rows_first_token() -> None:
    gpt = model()
    examples = [EncodedExample(prompt, [20, 21, 22][: len(prompt)]) for prompt in PROMPTS]
    together = likelihoods(gpt, examples, 0)
    alone = [likelihoods(gpt, [example], 0)[0] for example in examples]
    for one, other in zip(together, alone, strict=True):
        assert abs(one.nats - other.nats) < 1e-4
    decoding = Decoding(10, [3], 0)
    assert generate(gpt, PROMPTS, decoding) == [generate(gpt, [prompt], decoding)[0] for prompt in PROMPTS]
