"""data/teacher: what the teacher answers to every training prompt, and its most likely tokens along each answer.

Written once, read by every student. A row is one text under one prompt: the label, the teacher's answer, or both where
they are equal.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from transformers import PreTrainedTokenizerBase

from pipeline.contract import paths
from pipeline.contract.files import write_json
from pipeline.contract.problems import StageError
from pipeline.training.tempering import INVERSE_TEMPERATURES

FACTS_FILE = paths.TEACHER_DIR / "teacher.json"
TABLE_FILE = paths.TEACHER_DIR / "answers.parquet"

LABEL, ANSWER, BOTH = "label", "answer", "both"
_SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "origin": pa.string(),
        "text": pa.string(),
        "token_ids": pa.large_list(pa.int32()),
        "top_ids": pa.large_list(pa.int32()),
        "top_logprobs": pa.large_list(pa.float32()),
        "tails": pa.large_list(pa.float32()),
    }
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a student must know of its teacher."""

    source: str
    """Where the teacher came from."""
    top_k: int
    """Log-probabilities per token."""
    num_tokens: int
    """Tokens of its vocabulary, without the rows that only pad the embeddings."""
    vocabulary_sha256: str
    """Hash of its vocabulary."""


@dataclass(frozen=True, slots=True)
class ScoredText:
    """One text under one prompt with the teacher's most likely tokens."""

    id: str
    """Row of the training split."""
    origin: str
    """LABEL, ANSWER or BOTH."""
    text: str
    """The completion."""
    token_ids: list[int]
    """The completion and its stop token."""
    top_ids: np.ndarray[Any, Any]
    """Most likely tokens at each of them, [tokens, k]."""
    top_logprobs: np.ndarray[Any, Any]
    """Their log-probabilities, [tokens, k]."""
    tails: np.ndarray[Any, Any]
    """Logs of the mass outside of them, [tokens, temperatures]."""


class TeacherTable:
    """The rows, as arrays."""

    def __init__(self, facts: Facts, table: pa.Table) -> None:
        self.facts = facts
        self.ids: list[str] = table["id"].to_pylist()
        """Row of the training split, of each row here."""
        self.origins: list[str] = table["origin"].to_pylist()
        self.texts: list[str] = table["text"].to_pylist()
        self._table = table

    @cached_property
    def _flat(self) -> dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Offsets and values of each list column; nothing is copied per row."""
        names = ("token_ids", "top_ids", "top_logprobs", "tails")
        columns = {name: self._table[name].combine_chunks() for name in names}
        return {
            name: (column.offsets.to_numpy(), column.values.to_numpy(zero_copy_only=False))
            for name, column in columns.items()
        }

    def token_ids(self, row: int) -> list[int]:
        """Tokens of the text in a row."""
        ids: list[int] = self._values("token_ids", row).tolist()
        return ids

    def scores(self, row: int, num_tokens: int) -> tuple[np.ndarray[Any, Any], ...]:
        """Ids [n, k], log-probabilities [n, k] and tails [n, temperatures] of the first tokens of a row."""
        widths = {"top_ids": self.facts.top_k, "top_logprobs": self.facts.top_k, "tails": len(INVERSE_TEMPERATURES)}
        return tuple(self._values(name, row).reshape(-1, width)[:num_tokens] for name, width in widths.items())

    def _values(self, name: str, row: int) -> np.ndarray[Any, Any]:
        offsets, values = self._flat[name]
        return values[offsets[row] : offsets[row + 1]]


@contextmanager
def table_writer() -> Iterator[pq.ParquetWriter]:
    """Write the table part by part; it appears when all is written."""
    temporary = TABLE_FILE.with_name(f".{TABLE_FILE.name}.tmp")
    try:
        with pq.ParquetWriter(temporary, _SCHEMA, compression="zstd", use_dictionary=["id", "origin"]) as writer:
            yield writer
        temporary.replace(TABLE_FILE)
    finally:
        temporary.unlink(missing_ok=True)


def write_part(writer: pq.ParquetWriter, rows: Sequence[ScoredText]) -> None:
    """Append rows."""
    lists = [
        {
            "id": row.id,
            "origin": row.origin,
            "text": row.text,
            "token_ids": row.token_ids,
            "top_ids": row.top_ids.ravel(),
            "top_logprobs": row.top_logprobs.ravel(),
            "tails": row.tails.ravel(),
        }
        for row in rows
    ]
    writer.write_table(pa.Table.from_pylist(lists, _SCHEMA))


def write_facts(facts: Facts) -> None:
    """Write what a student must know; last, as it says that the table is complete."""
    write_json(FACTS_FILE, asdict(facts))


def read_teacher(with_scores: bool) -> TeacherTable:
    """The table, with its arrays where they are needed; StageError when there is none."""
    columns = _SCHEMA.names if with_scores else ["id", "origin", "text"]
    try:
        facts = Facts(**json.loads(FACTS_FILE.read_bytes()))
        return TeacherTable(facts, pq.read_table(TABLE_FILE, columns=columns))
    except (OSError, ValueError, TypeError, pa.ArrowInvalid) as error:
        raise StageError(
            f"{paths.TEACHER_DIR}: holds no answers of a teacher ({str(error).splitlines()[0]}); "
            "set teacher.source and run dvc repro teacher"
        ) from error


def vocabulary_size(tokenizer: PreTrainedTokenizerBase) -> int:
    """Token ids that the tokenizer can give; embeddings may be padded beyond."""
    return max(tokenizer.get_vocab().values()) + 1


def hash_vocabulary(tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash of tokens and their ids; equal ones mean the same by every id."""
    text = json.dumps(sorted(tokenizer.get_vocab().items(), key=lambda item: (item[1], item[0])))
    return hashlib.sha256(text.encode()).hexdigest()
