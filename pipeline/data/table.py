"""The rows as one table: duplicates, lengths, splits."""

from collections.abc import Iterator, Sequence

import polars as pl

from pipeline.contract.params import Prepare
from pipeline.contract.problems import StageError
from pipeline.data.dropped import DUPLICATE, TOO_LONG
from pipeline.data.rows import DroppedRow, Row
from pipeline.data.splitting import SPLITS, prompt_key, row_id, split_of
from pipeline.models.messages import Message

COLUMNS = ("id", "category", "prompt", "completion", "num_tokens")
_SCHEMA = pl.Schema(
    {
        "file": pl.String(),
        "line": pl.Int64(),
        "id": pl.String(),
        "split": pl.String(),
        "prompt_key": pl.String(),
        "category": pl.String(),
        "completion": pl.String(),
    }
)


def make_table(rows: list[Row], prepare: Prepare) -> pl.DataFrame:
    """One line per row, in the order read, with its id and its split."""
    keys = [prompt_key(row.prompt) for row in rows]
    fractions = (prepare.validation_fraction, prepare.test_fraction)
    data = {
        "file": [row.file for row in rows],
        "line": [row.line for row in rows],
        "id": [row_id(key, row.completion) for key, row in zip(keys, rows, strict=True)],
        "split": [split_of(key, prepare.seed, *fractions) for key in keys],
        "prompt_key": keys,
        "category": [row.category for row in rows],
        "completion": [row.completion for row in rows],
    }
    return pl.DataFrame(data, schema=_SCHEMA).with_columns(prompt_column([row.prompt for row in rows]))


def prompt_column(prompts: list[list[Message]]) -> pl.Series:
    """The prompts as one column, made from flat ones: polars takes nested lists one Python list at a time."""
    messages = pl.DataFrame(
        {
            "row": [number for number, prompt in enumerate(prompts) for _ in prompt],
            "role": [message["role"] for prompt in prompts for message in prompt],
            "content": [message["content"] for prompt in prompts for message in prompt],
        },
        schema={"row": pl.Int64(), "role": pl.String(), "content": pl.String()},
    )
    turns = pl.struct("role", "content").alias("prompt")
    return messages.group_by("row", maintain_order=True).agg(turns).get_column("prompt")


def drop_duplicates(table: pl.DataFrame) -> tuple[pl.DataFrame, list[DroppedRow]]:
    """Keep the first of the rows that are equal in prompt and completion."""
    first = pl.col("id").is_first_distinct()
    places = table.filter(first).select("id", first_file="file", first_line="line")
    again = table.filter(~first).join(places, on="id", maintain_order="left")
    dropped = [
        DroppedRow(file, line, DUPLICATE, f"equals {first_file}:{first_line}")
        for file, line, first_file, first_line in again.select("file", "line", "first_file", "first_line").iter_rows()
    ]
    return table.filter(first), dropped


def drop_long(table: pl.DataFrame, max_tokens: int | None) -> tuple[pl.DataFrame, list[DroppedRow]]:
    """Keep the rows of at most so many tokens."""
    if max_tokens is None:
        return table, []
    fits = pl.col("num_tokens") <= max_tokens
    dropped = [
        DroppedRow(file, line, TOO_LONG, f"{num_tokens} tokens, prepare.max_tokens is {max_tokens}")
        for file, line, num_tokens in table.filter(~fits).select("file", "line", "num_tokens").iter_rows()
    ]
    return table.filter(fits), dropped


def split_tables(
    table: pl.DataFrame, prepare: Prepare, columns: Sequence[str] = COLUMNS, what: str = "prompts"
) -> dict[str, pl.DataFrame]:
    """Train, validation and test in the order of their ids; StageError when one would be empty."""
    _require_rows_in_each(table, prepare, what)
    ordered = table.sort("id")
    return {split: ordered.filter(pl.col("split") == split).select(columns) for split in SPLITS}


def _require_rows_in_each(table: pl.DataFrame, prepare: Prepare, what: str) -> None:
    prompts = table.select("split", "prompt_key").unique()
    sizes = dict(prompts.group_by("split").len().iter_rows())
    advice = "\n".join(_advice(split, prepare) for split in SPLITS if not sizes.get(split))
    if advice:
        counts = ", ".join(f"{split} {sizes.get(split, 0)}" for split in SPLITS)
        raise StageError(f"{prompts.height} distinct {what} do not fill every split ({counts}):\n{advice}")


def _advice(split: str, prepare: Prepare) -> str:
    if split == "train":
        now = f"{prepare.validation_fraction} and {prepare.test_fraction}"
        return f"train is empty: lower prepare.validation_fraction and prepare.test_fraction (now {now}), or add rows"
    fraction = getattr(prepare, f"{split}_fraction")
    return f"{split} is empty: raise prepare.{split}_fraction (now {fraction}), or add rows"


def token_percentiles(table: pl.DataFrame) -> dict[str, int]:
    """Token counts that half, nine tenths and so on of the rows do not exceed."""
    tokens = table.get_column("num_tokens")
    levels = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: int(tokens.quantile(level, "higher") or 0) for name, level in levels.items()}


def split_counts(table: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Rows and distinct prompts of each split."""
    counts = {}
    for split in SPLITS:
        rows = table.filter(pl.col("split") == split)
        counts[split] = {"num_rows": rows.height, "num_prompts": rows.get_column("prompt_key").n_unique()}
    return counts


def category_counts(table: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Rows per category and split; rows without a category are under the empty name."""
    counts: dict[str, dict[str, int]] = {}
    for category, split, count in _sorted_counts(table):
        counts.setdefault(category, dict.fromkeys(SPLITS, 0))[split] = count
    return counts


def _sorted_counts(table: pl.DataFrame) -> Iterator[tuple[str, str, int]]:
    return table.group_by("category", "split").len().sort("category", "split").iter_rows()
