"""Which tokens end an answer, and which one fills up short rows."""

from typing import Any

from transformers import PreTrainedTokenizerBase

from pipeline.models.chat import stop_token_id
from pipeline.models.inputs import bare_model
from pipeline.models.loading import LoadedModel


def stop_token_ids(loaded: LoadedModel) -> list[int]:
    """Tokens that end an answer, in ascending order: those of the generation config and the end of a turn."""
    configured: Any = bare_model(loaded.model).generation_config.eos_token_id
    ids = set(configured if isinstance(configured, list) else [configured]) - {None}
    return sorted(ids | {stop_token_id(loaded.tokenizer)})


def pad_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The pad token; where there is none any token does, as the attention mask hides it."""
    return 0 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)
