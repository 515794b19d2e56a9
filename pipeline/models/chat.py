"""Conversations as token ids, the same for training, evaluation and deployment."""

from typing import Any

import jinja2
from transformers import PreTrainedTokenizerBase

from pipeline.contract.problems import StageError
from pipeline.models.messages import Message

# Templates of reasoning models open a thought unless told otherwise, and some write today's date into the prompt.
_TEMPLATE_VALUES: dict[str, Any] = {"enable_thinking": False, "date_string": "26 Jul 2024"}
_WAY_OUT = "give a template that fits with base.chat_template"


def render(tokenizer: PreTrainedTokenizerBase, messages: list[Message], *, answer_next: bool) -> str:
    """Write a conversation as text; `answer_next` opens the assistant's turn."""
    try:
        text = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=answer_next, **_TEMPLATE_VALUES
        )
    except (jinja2.TemplateError, ValueError, TypeError) as error:
        raise StageError(f"the chat template cannot write this conversation ({error}); {_WAY_OUT}") from error
    return str(text)


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: list[Message]) -> list[int]:
    """Token ids up to where the assistant's answer begins."""
    return _encode(tokenizer, render(tokenizer, prompt, answer_next=True))


def encode_example(
    tokenizer: PreTrainedTokenizerBase, prompt: list[Message], completion: str, stop_id: int
) -> tuple[list[int], list[int]]:
    """Token ids of the prompt, exactly as generation sees it, and of the completion with the stop token as its last."""
    opening = render(tokenizer, prompt, answer_next=True)
    whole = render(tokenizer, [*prompt, {"role": "assistant", "content": completion}], answer_next=False)
    if not whole.startswith(opening):
        raise StageError(f"the chat template writes a prompt differently once its answer follows; {_WAY_OUT}")
    prompt_ids, ids = _encode(tokenizer, opening), _encode(tokenizer, whole)
    if ids[: len(prompt_ids)] == prompt_ids:
        completion_ids = ids[len(prompt_ids) :]
    else:
        # Tokens merge across the boundary; a model that generates starts with a fresh token.
        completion_ids = _encode(tokenizer, whole[len(opening) :])
    return prompt_ids, _up_to_last(completion_ids, stop_id)


def stop_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Special token with which the chat template ends the assistant's turn; StageError when there is none."""
    word = "finetui"
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": word}]
    ending = render(tokenizer, turns, answer_next=False).rpartition(word)[2]
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    for token in _encode(tokenizer, ending):
        if token in special:
            return token
    raise StageError(
        "the chat template does not end the assistant's turn with a special token, so the model would never learn "
        f"to stop; {_WAY_OUT}, for example one with {{{{ eos_token }}}} after the assistant's content"
    )


def _encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """The template writes all special tokens itself."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _up_to_last(ids: list[int], stop_id: int) -> list[int]:
    """What a template writes after the stop token is never generated, so it is not learned either."""
    if stop_id not in ids:
        raise StageError(f"the chat template leaves the stop token out of an answer; {_WAY_OUT}")
    return ids[: len(ids) - ids[::-1].index(stop_id)]
