"""Turns of a conversation, as chat templates take them; apart from the libraries, which take seconds to load."""

from collections.abc import Sequence

Message = dict[str, str]
"""`role` and `content`."""


def prompt_text(turns: Sequence[Message]) -> str:
    """A prompt for people: the user's words alone, or all turns under their roles.

    >>> prompt_text([{"role": "user", "content": "list files"}])
    'list files'
    """
    if len(turns) == 1:
        return turns[0]["content"]
    return "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)
