"""How comparisons of answers are laid out, and how each layout becomes a prompt with its answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.contract.params import Columns
from pipeline.data.cleaning import category_at, check_content, check_roles, clean_message
from pipeline.data.dropped import TIE
from pipeline.data.formats import text_at, turns_at, with_system
from pipeline.data.rows import RawRow, RowProblem, shorten
from pipeline.models.messages import Message

Layout = Literal["pairs", "rated"]
REQUIRED: dict[Layout, tuple[str, ...]] = {"pairs": ("chosen", "rejected"), "rated": ("completion", "label")}
"""Columns that a row must have, besides the prompt, which may be part of the answers' conversations."""
_LABELS = {"true": True, "1": True, "1.0": True, "good": True, "false": False, "0": False, "0.0": False, "bad": False}
# Anthropic's HH-RLHF writes a conversation as one text.
_TURN_MARK = re.compile(r"(?:^|\n\n)(Human|Assistant):")
_SPEAKERS = {"Human": "user", "Assistant": "assistant"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A prompt with a better and a worse answer, or with one answer that is good or bad."""

    file: str
    """Where it came from."""
    line: int
    """Line or row number there."""
    category: str
    """Group that it belongs to; empty if none."""
    prompt: list[Message]
    """The conversation up to and including the last user message."""
    chosen: str | None = None
    """The better answer of a pair."""
    rejected: str | None = None
    """The worse answer of a pair."""
    completion: str | None = None
    """The answer that was rated."""
    label: bool | None = None
    """Whether it was rated good."""

    @property
    def answers(self) -> list[str]:
        """The answers that it holds."""
        return [answer for answer in (self.chosen, self.rejected, self.completion) if answer is not None]


def clean_comparison(raw: RawRow, layout: Layout, columns: Columns) -> Comparison:
    """The row with normalised text; RowProblem when it is no comparison in good order."""
    row = raw.columns
    asked = _prompt(row, columns)
    category = category_at(row, _present(row, columns.category, "category"))
    if layout == "rated":
        prompt, completion = _answered(row, "completion", asked)
        return Comparison(raw.file, raw.line, category, prompt, completion=completion, label=_label(row))
    prompt, chosen = _answered(row, "chosen", asked)
    other, rejected = _answered(row, "rejected", asked)
    if prompt != other:
        raise RowProblem("different_prompts", "chosen and rejected are answers to different conversations")
    if chosen == rejected:
        raise RowProblem(TIE, "chosen equals rejected")
    return Comparison(raw.file, raw.line, category, prompt, chosen, rejected)


def _prompt(row: Mapping[str, Any], columns: Columns) -> list[Message] | None:
    """What the prompt's own column says; None when there is none."""
    named = _present(row, columns.prompt, "prompt")
    if row.get(named) is None:
        return None
    turns = _turns(row, named, "user")
    if turns and turns[-1] == {"role": "assistant", "content": ""}:
        turns = turns[:-1]
    return _cleaned(with_system(row, columns, turns))


def _present(row: Mapping[str, Any], named: str | None, usual: str) -> str:
    """The column that the params name for the other rows where this one has it too, else the usual one."""
    return named if named is not None and named in row else usual


def _answered(row: Mapping[str, Any], column: str, prompt: list[Message] | None) -> tuple[list[Message], str]:
    """The prompt and the answer to it; the column may hold the answer alone or the conversation that ends in it."""
    turns = _cleaned(_turns(row, column, "assistant"))
    before = turns[:-1]
    if prompt is not None and before and _without_system(before) != _without_system(prompt):
        raise RowProblem("different_prompts", f"the conversation in {column} does not begin with the prompt")
    if prompt is None and not before:
        raise RowProblem("missing_column", f"has no prompt, and {column} holds no conversation that begins with one")
    longest = max(before, prompt or [], key=len)
    messages = [*longest, *turns[-1:]]
    check_roles(messages)
    check_content(messages)
    return longest, messages[-1]["content"]


def _turns(row: Mapping[str, Any], column: str, role: str) -> list[Message]:
    """Messages of a column: a list of them, one message, a text with marked turns, or the text of one message."""
    value = row.get(column)
    if isinstance(value, dict):
        return turns_at({column: [value]}, column)
    if isinstance(value, list):
        return turns_at(row, column)
    text = text_at(row, column)
    return marked_turns(text) or [{"role": role, "content": text}]


def marked_turns(text: str) -> list[Message]:
    r"""Turns of a conversation that is written as one text; empty when it is none.

    >>> marked_turns("\n\nHuman: hi\n\nAssistant: hello")
    [{'role': 'user', 'content': ' hi'}, {'role': 'assistant', 'content': ' hello'}]
    >>> marked_turns("echo Human: hi")
    []
    """
    start, *parts = _TURN_MARK.split(text)
    if start.strip() or parts[:1] != ["Human"]:
        return []
    return [{"role": _SPEAKERS[name], "content": said} for name, said in zip(parts[::2], parts[1::2], strict=True)]


def _cleaned(turns: list[Message]) -> list[Message]:
    messages = [clean_message(message) for message in turns]
    return messages[1:] if messages[:1] == [{"role": "system", "content": ""}] else messages


def _without_system(messages: list[Message]) -> list[Message]:
    return messages[1:] if messages[:1] and messages[0]["role"] == "system" else messages


def _label(row: Mapping[str, Any]) -> bool:
    value = row.get("label")
    label = _LABELS.get(str(value).strip().lower()) if isinstance(value, (bool, int, float, str)) else None
    if label is None:
        raise RowProblem("unknown_label", f"label is {shorten(value)}; known are true, false, 1, 0, good, bad")
    return label
