"""Answers, token after token until a stop token: the most likely one each time, or one drawn."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from pipeline.models.inputs import bare_model, model_inputs
from pipeline.models.loading import LoadedModel, Model
from pipeline.models.stopping import pad_token_id, stop_token_ids


@dataclass(frozen=True, slots=True)
class Decoding:
    """When an answer ends."""

    max_new_tokens: int
    """Longest answer in tokens, its stop token included."""
    stop_ids: list[int]
    """Tokens that end an answer."""
    pad_id: int
    """Token that fills up short rows."""
    temperature: float | None = None
    """Sampling temperature; None takes the most likely token each time."""
    top_p: float = 1.0
    """Where tokens are drawn: from the most likely ones that together have this probability."""

    def config(self) -> GenerationConfig:
        """As transformers takes it, without any penalty."""
        drawn: dict[str, Any] = {"do_sample": False}
        if self.temperature is not None:
            # By default only the 50 most likely tokens are drawn from.
            drawn = {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p, "top_k": 0}
        return GenerationConfig(
            **drawn,
            num_beams=1,
            max_new_tokens=self.max_new_tokens,
            eos_token_id=self.stop_ids,
            pad_token_id=self.pad_id,
        )


def decoding_of(loaded: LoadedModel, max_new_tokens: int) -> Decoding:
    """How this model's answers end."""
    return Decoding(max_new_tokens, stop_token_ids(loaded), pad_token_id(loaded.tokenizer))


@torch.inference_mode()
def generate(model: Model, prompts: Sequence[Sequence[int]], decoding: Decoding) -> list[list[int]]:
    """Answers to a batch of prompts as token ids, the stop token included where the model said one."""
    inputs = model_inputs(model, prompts, decoding.pad_id)
    with plain_decoding(bare_model(model)) as bare:
        sequences = bare.generate(**inputs, generation_config=decoding.config())
    num_given = inputs["input_ids"].shape[1] if "input_ids" in inputs else 0
    return [up_to_stop(row, decoding.stop_ids) for row in sequences[:, num_given:].tolist()]


def up_to_stop(ids: Sequence[int], stop_ids: Sequence[int]) -> list[int]:
    """The ids up to the first stop token and with it.

    >>> up_to_stop([5, 6, 2, 0, 0], [2])
    [5, 6, 2]
    """
    first = next((position for position, token in enumerate(ids) if token in stop_ids), len(ids))
    return list(ids[: first + 1])


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Positions in batches of similar length, the longest first: what does not fit into memory shows at once.

    >>> batches_by_length([3, 9, 5], 2)
    [[1, 2], [0]]
    """
    order = sorted(range(len(lengths)), key=lambda position: (-lengths[position], position))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


@contextmanager
def plain_decoding(model: Any) -> Iterator[Any]:
    """Keep a model's own sampling defaults and penalties out: transformers mixes them into every call."""
    shipped = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield model
    finally:
        model.generation_config = shipped
