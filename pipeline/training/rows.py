"""Reads a prepared split and turns its rows into token ids with labels on the completion only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from transformers import PreTrainedTokenizerBase

from pipeline.contract.problems import StageError
from pipeline.models.chat import encode_example, stop_token_id

IGNORED = -100
_COLUMNS = ["id", "prompt", "completion"]


@dataclass(frozen=True, slots=True)
class EncodedSplit:
    """A split as token ids."""

    input_ids: list[list[int]]
    """Prompt, completion and stop token of each row."""
    labels: list[list[int]]
    """The same, with IGNORED in place of the prompt."""
    num_truncated: int
    """Rows that were cut to the longest length."""
    num_dropped: int
    """Rows whose prompt alone fills the longest length, so that nothing of their completion is left."""
    numbers: list[int]
    """Which of the rows that were given each of these is."""

    def sorted_by_length(self) -> "EncodedSplit":
        """The same rows, shortest first: batches with little padding."""
        order = sorted(range(len(self.input_ids)), key=lambda row: len(self.input_ids[row]))
        ids, labels = [self.input_ids[row] for row in order], [self.labels[row] for row in order]
        numbers = [self.numbers[row] for row in order]
        return EncodedSplit(ids, labels, self.num_truncated, self.num_dropped, numbers)

    def table(self, more: Mapping[str, Sequence[Any]] | None = None) -> pa.Table:
        """The rows for a `datasets.Dataset`, with more columns where there are some."""
        return pa.table({"input_ids": pa.array(self.input_ids), "labels": pa.array(self.labels), **(more or {})})


def encode_split(
    path: Path, tokenizer: PreTrainedTokenizerBase, max_length: int, section: str = "train", max_rows: int | None = None
) -> EncodedSplit:
    """Rows of a split, cut to `max_length` tokens; StageError when nothing, or no stop token, is left to learn."""
    return encode_rows(read_rows(path, max_rows), str(path), tokenizer, max_length, section)


def encode_rows(
    rows: Sequence[Mapping[str, Any]],
    where: str,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    section: str = "train",
) -> EncodedSplit:
    """The same for rows that come from `where`."""
    stop_id = stop_token_id(tokenizer)
    all_ids: list[list[int]] = []
    all_labels: list[list[int]] = []
    kept: list[int] = []
    num_truncated = 0
    for number, row in enumerate(rows):
        prompt_ids, completion_ids = encode_example(tokenizer, row["prompt"], row["completion"], stop_id)
        if len(prompt_ids) >= max_length:
            continue
        ids = (prompt_ids + completion_ids)[:max_length]
        num_truncated += len(ids) < len(prompt_ids) + len(completion_ids)
        kept.append(number)
        all_ids.append(ids)
        all_labels.append([IGNORED] * len(prompt_ids) + ids[len(prompt_ids) :])
    split = EncodedSplit(all_ids, all_labels, num_truncated, len(rows) - len(kept), kept)
    _check(split, stop_id, where, f"{section}.max_length is {max_length}")
    return split


def read_rows(path: Path, max_rows: int | None = None) -> list[dict[str, Any]]:
    """Rows of a prepared split, the first ones by id where there is a limit."""
    try:
        rows: list[dict[str, Any]] = pq.read_table(path, columns=_COLUMNS).to_pylist()
    except FileNotFoundError as error:
        raise StageError(f"{path}: no such file; run the prepare stage: dvc repro prepare") from error
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise StageError(
            f"{path}: cannot be read ({reason}); run the prepare stage again: dvc repro -f prepare"
        ) from error
    if not rows:
        raise StageError(f"{path}: holds no rows; give prepare more data or another split")
    return rows if max_rows is None else sorted(rows, key=lambda row: str(row["id"]))[:max_rows]


def _check(split: EncodedSplit, stop_id: int, where: str, limit: str) -> None:
    cut = f"{limit}: in {where} every"
    if not split.input_ids:
        raise StageError(f"{cut} prompt is at least that long, so no token would be trained; raise it")
    if all(label == IGNORED for label in chain.from_iterable(split.labels)):
        raise StageError(f"{where}: no token would be trained: every completion is empty")
    if all(labels[-1] != stop_id for labels in split.labels):
        raise StageError(f"{cut} answer is cut before its end, so the model would never learn to stop; raise it")
