"""Normalises and checks rows."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from pipeline.contract.params import Columns
from pipeline.data.detection import category_column
from pipeline.data.formats import Format
from pipeline.data.rows import RawRow, Row, RowProblem, shorten
from pipeline.data.tabular import is_text
from pipeline.models.messages import Message

_CONTROL = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_NEXT_ROLE = {"": ("system", "user"), "system": ("user",), "user": ("assistant",), "assistant": ("user",)}


def normalise(text: str) -> str:
    r"""Unicode NFC, lines that end in LF, no control characters but newline and tab, no white space around.

    >>> normalise(" cafe\u0301\r\nand\x00 so on\t ")
    'café\nand so on'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n")
    return unicodedata.normalize("NFC", text.translate(_CONTROL)).strip()


def clean_row(raw: RawRow, layout: Format, columns: Columns) -> Row:
    """The row as a conversation in good order; RowProblem when it is none."""
    messages = [clean_message(message) for message in layout.convert(raw.columns, columns)]
    if messages and messages[0]["role"] == "system" and not messages[0]["content"]:
        messages = messages[1:]
    check_roles(messages)
    check_content(messages)
    category = category_at(raw.columns, category_column(columns))
    return Row(raw.file, raw.line, category, messages[:-1], messages[-1]["content"])


def check_roles(messages: list[Message]) -> None:
    """RowProblem unless the roles are: system or none, then user and assistant in turn, an assistant last."""
    role = ""
    for index, message in enumerate(messages):
        if message["role"] not in _NEXT_ROLE[role]:
            expected = " or ".join(_NEXT_ROLE[role])
            raise RowProblem("wrong_roles", f"message {index + 1} is {message['role']}, not {expected}")
        role = message["role"]
    if role != "assistant":
        raise RowProblem("wrong_roles", f"ends in {role}, not assistant" if role else "holds no messages")


def clean_message(message: Message) -> Message:
    """The message with normalised text; RowProblem when it is none."""
    if not is_text(message["content"]):
        raise RowProblem("not_utf8", f"the {message['role']} message holds a lone surrogate, which is no character")
    return {"role": message["role"], "content": normalise(message["content"])}


def check_content(messages: list[Message]) -> None:
    """RowProblem when a message is empty."""
    for message in messages[:-1]:
        if not message["content"]:
            raise RowProblem("empty_prompt", f"the {message['role']} message is empty")
    if not messages[-1]["content"]:
        raise RowProblem("empty_completion", "the answer is empty")


def category_at(row: Mapping[str, Any], column: str) -> str:
    """Text of the category column, empty without one; RowProblem when it is no text."""
    value = row.get(column)
    if value is None:
        return ""
    if not isinstance(value, (str, int, float)) or not is_text(str(value)):
        raise RowProblem("not_text", f"{column} is {shorten(value)}, not text")
    return normalise(str(value))
