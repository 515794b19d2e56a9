"""Examples as token ids, and the tokens that end an answer."""

from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from pipeline.evals.examples import Example
from pipeline.evals.inputs import bare_model
from pipeline.models import chat
from pipeline.models.loading import LoadedModel


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


def stop_token_ids(loaded: LoadedModel) -> list[int]:
    """Tokens that end an answer, in ascending order: those of the generation config and the end of a turn."""
    configured: Any = bare_model(loaded.model).generation_config.eos_token_id
    ids = set(configured if isinstance(configured, list) else [configured]) - {None}
    return sorted(ids | {chat.stop_token_id(loaded.tokenizer)})


def pad_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The pad token; where there is none any token does, as the attention mask hides it."""
    return 0 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)
