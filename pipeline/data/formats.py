"""How rows are laid out, and how each layout becomes a conversation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.contract.params import Columns
from pipeline.data.rows import RowProblem, shorten
from pipeline.models.messages import Message

_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
}

Convert = Callable[[Mapping[str, Any], Columns], list[Message]]


@dataclass(frozen=True, slots=True)
class Format:
    """One layout of a row."""

    name: str
    """Value of prepare.format."""
    required: tuple[str, ...]
    """Columns that a row must have."""
    convert: Convert
    """Makes the conversation; RowProblem when a value is missing or no text."""


def _messages(row: Mapping[str, Any], columns: Columns) -> list[Message]:
    return with_system(row, columns, turns_at(row, "messages"))


def _sharegpt(row: Mapping[str, Any], columns: Columns) -> list[Message]:
    return with_system(row, columns, turns_at(row, "conversations"))


def _prompt_completion(row: Mapping[str, Any], columns: Columns) -> list[Message]:
    if isinstance(row.get("prompt"), list):
        return with_system(row, columns, turns_at(row, "prompt") + turns_at(row, "completion"))
    return _exchange(row, columns, text_at(row, "prompt"), "completion")


def _alpaca(row: Mapping[str, Any], columns: Columns) -> list[Message]:
    parts = [text_at(row, "instruction"), _optional_text(row, "input")]
    return _exchange(row, columns, "\n\n".join(part for part in parts if part.strip()), "output")


def _columns(row: Mapping[str, Any], columns: Columns) -> list[Message]:
    return _exchange(row, columns, text_at(row, columns.prompt or ""), columns.completion or "")


def _exchange(row: Mapping[str, Any], columns: Columns, prompt: str, completion: str) -> list[Message]:
    turns: list[Message] = [
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": text_at(row, completion)},
    ]
    return with_system(row, columns, turns)


def with_system(row: Mapping[str, Any], columns: Columns, turns: list[Message]) -> list[Message]:
    """The conversation behind the system message of its own column, where the params name one."""
    system = _optional_text(row, columns.system) if columns.system else ""
    return [{"role": "system", "content": system}, *turns] if system.strip() else turns


def turns_at(row: Mapping[str, Any], column: str) -> list[Message]:
    """Messages of a column; RowProblem when it is missing or holds something else."""
    turns = _value(row, column)
    if not isinstance(turns, list):
        raise RowProblem("not_messages", f"{column} is {shorten(turns)}, not a list of messages")
    return [_turn(turn, f"{column}[{index}]") for index, turn in enumerate(turns)]


def _turn(turn: Any, place: str) -> Message:
    if not isinstance(turn, dict):
        raise RowProblem("not_messages", f"{place} is {shorten(turn)}, not a message with role and content")
    role = turn.get("role") or turn.get("from")
    known = _ROLES.get(role) if isinstance(role, str) else None
    if known is None:
        raise RowProblem("unknown_role", f"{place} has the role {shorten(role)}; known are {', '.join(_ROLES)}")
    content = turn.get("content") if turn.get("content") is not None else turn.get("value")
    return {"role": known, "content": _text(content, f"the content of {place}")}


def _value(row: Mapping[str, Any], column: str) -> Any:
    if column not in row:
        raise RowProblem("missing_column", f"has no {column}")
    return row[column]


def text_at(row: Mapping[str, Any], column: str) -> str:
    """Text of a column; RowProblem when it is missing or no text."""
    return _text(_value(row, column), column)


def _optional_text(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    return "" if value is None else _text(value, column)


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise RowProblem("not_text", f"{place} is {shorten(value)}, not text")
    return value


# In the order in which `auto` prefers them where several fit as many rows.
FORMATS = (
    Format("messages", ("messages",), _messages),
    Format("sharegpt", ("conversations",), _sharegpt),
    Format("prompt_completion", ("prompt", "completion"), _prompt_completion),
    Format("alpaca", ("instruction", "output"), _alpaca),
)


def columns_format(columns: Columns) -> Format:
    """The format of rows whose columns the params name."""
    return Format("columns", (columns.prompt or "", columns.completion or ""), _columns)
