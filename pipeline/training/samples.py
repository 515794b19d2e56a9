"""What the model answers as it learns: the same validation prompts each time, kept in a file that is a DVC output."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pipeline.contract import paths
from pipeline.contract.files import write_bytes
from pipeline.contract.handing_on import empty_samples
from pipeline.contract.launching import is_main_process
from pipeline.contract.params import Watch
from pipeline.models.answers import answer_text
from pipeline.models.chat import encode_prompt
from pipeline.models.generation import Decoding, decoding_of, generate
from pipeline.models.inputs import bare_model
from pipeline.models.loading import LoadedModel
from pipeline.models.messages import prompt_text
from pipeline.training.random_state import random_state_kept
from pipeline.training.rows import read_rows

# A reward model gives scores, not answers, and a teacher's are kept anyway.
_STAGES = {"train", "align"}


class Samples:
    """Asks the prompts and appends the answers, without a trace in the training."""

    def __init__(self, stage: str, watch: Watch, model: Any, tokenizer: Any, device: torch.device) -> None:
        self._file = paths.samples_file(stage)
        self._interval = watch.sample_interval
        self._model = model
        self._tokenizer = tokenizer
        self._rows: list[dict[str, Any]] = []
        self._prompts: list[list[int]] = []
        self._num_evaluations = 0
        if stage not in _STAGES:
            return
        empty_samples(stage)
        if watch.num_samples == 0:
            return
        self._rows = read_rows(paths.split_file("validation"), watch.num_samples)
        self._prompts = [encode_prompt(tokenizer, row["prompt"]) for row in self._rows]
        self._decoding: Decoding = decoding_of(LoadedModel(model, tokenizer, device), watch.sample_max_new_tokens)

    def evaluated(self, step: int, *, is_last: bool) -> None:
        """Ask at every so many evaluations and at the end."""
        self._num_evaluations += 1
        if is_last or self._num_evaluations % self._interval == 0:
            self.ask(step)

    def ask(self, step: int) -> None:
        """Append the answers of the model as it is now."""
        if not self._rows:
            return
        with random_state_kept(), _evaluating(self._model):
            answers = generate(self._model, self._prompts, self._decoding)
        if not is_main_process():
            # Of a sharded model all processes must take part in the answers.
            return
        lines = [self._line(step, row, ids) for row, ids in zip(self._rows, answers, strict=True)]
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, b"".join(lines))
        finally:
            os.close(descriptor)

    def state(self) -> dict[str, Any]:
        """Everything asked so far, for a checkpoint."""
        text = self._file.read_text(encoding="utf-8") if self._rows else ""
        return {"num_evaluations": self._num_evaluations, "answers": text}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        self._num_evaluations = state["num_evaluations"]
        if self._rows and is_main_process():
            write_bytes(self._file, state["answers"].encode())

    def _line(self, step: int, row: dict[str, Any], ids: list[int]) -> bytes:
        text = answer_text(self._tokenizer, ids)
        value = {"step": step, "prompt": prompt_text(row["prompt"]), "reference": row["completion"], "prediction": text}
        return json.dumps(value, ensure_ascii=False).encode() + b"\n"


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode inside, with a cache, and each part of the model in its own mode again after it."""
    training = [module for module in model.modules() if module.training]
    config = bare_model(model).config
    use_cache = config.use_cache
    model.eval()
    config.use_cache = True
    try:
        yield
    finally:
        config.use_cache = use_cache
        for module in training:
            module.training = True
