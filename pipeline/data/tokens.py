"""Counts the tokens of conversations as the base model will see them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.contract.problems import StageError
from pipeline.models.messages import Message

_BATCH_ROWS = 256

Tokenizer = Any
"""A tokenizer of transformers, which is imported only where it is loaded."""


def chat_tokenizer(directory: Path, trust_remote_code: bool) -> Tokenizer:
    """Tokenizer of the base model; StageError when it cannot be read or has no chat template."""
    from pipeline.models.loading import load_tokenizer

    try:
        tokenizer = load_tokenizer(directory, trust_remote_code)
    except StageError as error:
        raise StageError(f"{error}; run dvc repro base") from error
    if not tokenizer.chat_template:
        raise StageError(f"{directory}: the tokenizer has no chat template; set base.chat_template to a file with one")
    return tokenizer


def count_tokens(tokenizer: Tokenizer, conversations: Iterator[list[Message]]) -> Iterator[list[int | str]]:
    """Token counts, batch by batch; a text instead of a count says why the chat template refuses a conversation."""
    while batch := list(islice(conversations, _BATCH_ROWS)):
        yield _count_batch(tokenizer, batch)


def _count_batch(tokenizer: Tokenizer, batch: list[list[Message]]) -> list[int | str]:
    rendered = [_render(tokenizer, conversation) for conversation in batch]
    counts: list[int | str] = [problem for _, problem in rendered]
    places = [index for index, (_, problem) in enumerate(rendered) if not problem]
    texts = [rendered[index][0] for index in places]
    if texts:
        tokens = tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
        for index, ids in zip(places, tokens, strict=True):
            counts[index] = len(ids)
    return counts


def _render(tokenizer: Tokenizer, conversation: list[Message]) -> tuple[str, str]:
    """Text of the conversation as training and evaluation write it, and why there is none."""
    from pipeline.models.chat import render

    try:
        return render(tokenizer, conversation, answer_next=False), ""
    except StageError as error:
        return "", str(error)
