"""Pairs of a prepared split as whole conversations in token ids, for a model that scores them."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from pipeline.contract import paths
from pipeline.contract.problems import StageError
from pipeline.models.chat import stop_token_id
from pipeline.models.reward_model import Row
from pipeline.training.comparisons import Encoder, read_comparisons

_WAY_OUT = "give prepare.preferences.source pairs (prompt, chosen, rejected), or set reward.objective to none"


@dataclass(frozen=True, slots=True)
class EncodedPairs:
    """A split as token ids."""

    chosen: list[Row]
    """Prompt and better answer of each pair."""
    rejected: list[Row]
    """The same prompts with the worse answers."""
    categories: list[str]
    """Group of each pair."""
    num_dropped: int
    """Pairs that are longer than the longest length."""

    def table(self) -> pa.Table:
        """The pairs for a `datasets.Dataset`, under the names that TRL gives them, and where their answers begin."""
        columns = {
            "chosen_ids": [prompt + answer for prompt, answer in self.chosen],
            "rejected_ids": [prompt + answer for prompt, answer in self.rejected],
            "prompt_length": [len(prompt) for prompt, _ in self.chosen],
        }
        return pa.table(columns)


def encode_pairs(
    split: str, tokenizer: PreTrainedTokenizerBase, max_length: int, max_rows: int | None = None
) -> EncodedPairs:
    """Pairs of a split with at most `max_length` tokens; StageError when there are none."""
    encoder = Encoder(tokenizer, max_length, stop_token_id(tokenizer))
    pairs = EncodedPairs([], [], [], 0)
    num_dropped = 0
    for row in read_pairs(split, max_rows):
        ids = encoder.encode(row["prompt"], [row["chosen"], row["rejected"]])
        if ids is None:
            num_dropped += 1
            continue
        prompt, (chosen, rejected) = ids
        pairs.chosen.append((prompt, chosen))
        pairs.rejected.append((prompt, rejected))
        pairs.categories.append(row["category"])
    encoder.check_any(pairs.chosen, split, "reward")
    return EncodedPairs(pairs.chosen, pairs.rejected, pairs.categories, num_dropped)


def read_pairs(split: str, max_rows: int | None = None) -> list[dict[str, Any]]:
    """Pairs of a prepared split, the first ones by id where there is a limit; StageError when there are none."""
    file = paths.preferences_file(split)
    if not file.is_file():
        raise StageError(f"{file}: no such file, and a reward model learns from it; {_WAY_OUT}, then dvc repro")
    rows = read_comparisons(split, max_rows)
    if any(row.get("chosen") is None or row.get("rejected") is None for row in rows):
        raise StageError(f"{file}: holds single rated answers, and a reward model compares two; {_WAY_OUT}")
    return rows
