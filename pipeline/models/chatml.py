"""ChatML: the turns of a conversation as text, and the chat template that says the same to transformers."""

from collections.abc import Iterable

TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\\n' -}}"
    "{%- if message['role'] == 'assistant' -%}"
    "{%- generation -%}{{- message['content'] + '<|im_end|>' -}}{%- endgeneration -%}"
    "{%- else -%}{{- message['content'] + '<|im_end|>' -}}{%- endif -%}"
    "{{- '\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
"""Jinja; the generation markers tell trainers which tokens the assistant says, its end of turn included."""


def render(turns: Iterable[tuple[str, str]]) -> str:
    """Write (role, text) turns as the chat template does.

    >>> render([("user", "hi"), ("assistant", "hello")])
    '<|im_start|>user\\nhi<|im_end|>\\n<|im_start|>assistant\\nhello<|im_end|>\\n'
    """
    return "".join(f"{TURN_START}{role}\n{text}{TURN_END}\n" for role, text in turns)
