"""Examples as token ids."""

from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from pipeline.evals.examples import Example
from pipeline.models import chat


@dataclass(frozen=True, slots=True)
class EncodedExample:
    """Token ids of one example."""

    prompt_ids: list[int]
    """The prompt up to where the assistant begins to speak."""
    completion_ids: list[int]
    """The reference answer and the token that ends it."""


def encode_example(tokenizer: PreTrainedTokenizerBase, example: Example, stop_id: int) -> EncodedExample:
    """Prompt and reference as the model was trained on them."""
    return EncodedExample(*chat.encode_example(tokenizer, list(example.prompt), example.completion, stop_id))
