"""Comparisons as token ids: prompts exactly as generation sees them, answers with the stop token at their end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from transformers import PreTrainedTokenizerBase

from pipeline.contract import paths
from pipeline.contract.problems import StageError
from pipeline.models.chat import encode_example
from pipeline.models.messages import Message

_PAIR = ("chosen", "rejected")
_WAY_OUT = "run the prepare stage: dvc repro prepare"

Pair = dict[str, list[int]]
"""`prompt_ids`, `chosen_ids`, `rejected_ids`."""
Rated = dict[str, Any]
"""`prompt_ids`, `completion_ids`, and `label`, whether the answer is good."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns conversations into ids of at most so many tokens."""

    tokenizer: PreTrainedTokenizerBase
    """With the chat template that evaluation uses."""
    max_length: int
    """Longest prompt and answer together, in tokens."""
    stop_id: int
    """Token that ends an answer."""

    def encode(self, prompt: list[Message], answers: list[str]) -> tuple[list[int], list[list[int]]] | None:
        """Ids of the prompt and of each answer; None when one is too long: cut, the answers could be alike."""
        encoded = [encode_example(self.tokenizer, prompt, answer, self.stop_id) for answer in answers]
        prompt_ids, answer_ids = encoded[0][0], [ids for _, ids in encoded]
        return (prompt_ids, answer_ids) if len(prompt_ids) + max(map(len, answer_ids)) <= self.max_length else None

    def check_any(self, rows: Sequence[Any], split: str, section: str) -> None:
        """StageError when no comparison was short enough."""
        if not rows:
            raise StageError(
                f"{section}.max_length: every comparison in {paths.preferences_file(split)} is longer than "
                f"{self.max_length} tokens, as many as it or the model's positions allow; raise it, or lower "
                "prepare.max_tokens"
            )


def encode_pairs(split: str, encoder: Encoder, max_rows: int | None = None) -> tuple[list[Pair], int]:
    """Pairs of a split, and how many are too long; StageError when none is left, or only rated answers are there."""
    rows = read_comparisons(split, max_rows)
    if any(row.get(name) is None for row in rows for name in _PAIR):
        raise StageError(
            f"{paths.preferences_file(split)}: holds rated answers, not pairs; set align.objective to kto, "
            "or give prepare.preferences.source pairs of chosen and rejected"
        )
    pairs: list[Pair] = []
    for row in rows:
        ids = encoder.encode(row["prompt"], [row[name] for name in _PAIR])
        if ids is not None:
            prompt_ids, (chosen_ids, rejected_ids) = ids
            pairs.append({"prompt_ids": prompt_ids, "chosen_ids": chosen_ids, "rejected_ids": rejected_ids})
    encoder.check_any(pairs, split, "align")
    return pairs, len(rows) - len(pairs)


def encode_rated(split: str, encoder: Encoder, max_rows: int | None = None) -> tuple[list[Rated], int]:
    """Rated answers of a split, where a pair counts as a good and a bad one, and how many comparisons are too long.

    StageError when no good or no bad answer is left.
    """
    rated: list[Rated] = []
    num_dropped = 0
    for row in read_comparisons(split, max_rows):
        answers = _rated_answers(row)
        ids = encoder.encode(row["prompt"], list(answers))
        if ids is None:
            num_dropped += 1
            continue
        rated += [
            {"prompt_ids": ids[0], "completion_ids": answer, "label": label}
            for answer, label in zip(ids[1], answers.values(), strict=True)
        ]
    encoder.check_any(rated, split, "align")
    if len({row["label"] for row in rated}) == 1:
        raise StageError(
            f"{paths.preferences_file(split)}: all answers have the same label; kto needs good and bad ones"
        )
    return rated, num_dropped


def read_comparisons(split: str, max_rows: int | None = None) -> list[dict[str, Any]]:
    """Rows of a prepared split of preferences, the first ones by id where there is a limit."""
    path = paths.preferences_file(split)
    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except FileNotFoundError as error:
        raise StageError(
            f"{path}: no such file; alignment by comparisons needs prepare.preferences.source, then {_WAY_OUT}"
        ) from error
    except (pa.ArrowInvalid, OSError) as error:
        raise StageError(f"{path}: cannot be read ({_first_line(path, error)}); {_WAY_OUT}") from error
    if not rows:
        raise StageError(f"{path}: holds no comparisons; give prepare.preferences.source more, then {_WAY_OUT}")
    rows.sort(key=lambda row: str(row["id"]))
    return rows[:max_rows]


def _rated_answers(row: dict[str, Any]) -> dict[str, bool]:
    if row.get("completion") is not None:
        return {row["completion"]: bool(row["label"])}
    return {row["chosen"]: True, row["rejected"]: False}


def _first_line(path: Path, error: Exception) -> str:
    return (str(error).strip().splitlines() or [path.name])[0]
