"""Puts every prompt on one side for ever: the side depends on the prompt and the seed, on nothing else."""

from hashlib import blake2b

from pipeline.models.messages import Message

SPLITS = ("train", "validation", "test")
# Control characters never occur in normalised text, so the joined text is unambiguous.
_FIELD, _MESSAGE, _COMPLETION = "\x1f", "\x1e", "\x1d"


def prompt_key(prompt: list[Message]) -> str:
    """Text that is equal for equal prompts only."""
    return "".join(f"{message['role']}{_FIELD}{message['content']}{_MESSAGE}" for message in prompt)


def row_id(key: str, completion: str) -> str:
    """Content hash of a row: 16 hexadecimal digits."""
    return blake2b(f"{key}{_COMPLETION}{completion}".encode(), digest_size=8).hexdigest()


def split_of(key: str, seed: int, validation_fraction: float, test_fraction: float) -> str:
    """Split of a prompt.

    Test takes the low end of the hash and validation the high end, so that changing one fraction leaves the other split
    as it is, and raising a fraction only adds to its split.
    """
    digest = blake2b(f"{seed}{_COMPLETION}{key}".encode(), digest_size=8).digest()
    position = int.from_bytes(digest, "big") / 2**64
    if position < test_fraction:
        return "test"
    return "validation" if position >= 1 - validation_fraction else "train"
