"""Comparisons of answers: read or generated, checked, and put on the side that their prompts go to."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import polars as pl

from pipeline.contract.params import Prepare
from pipeline.contract.problems import StageError
from pipeline.data.comparison_rows import REQUIRED, Comparison, Layout, clean_comparison
from pipeline.data.dropped import DUPLICATE, TIE, TOO_LONG, DroppedRows
from pipeline.data.rows import DroppedRow, RawRow, RowProblem
from pipeline.data.shell import preference_rows, task_rows
from pipeline.data.sources import STARTER, Source, read_files
from pipeline.data.splitting import SPLITS, prompt_key, row_id, split_of
from pipeline.data.table import (
    category_counts,
    drop_duplicates,
    drop_long,
    prompt_column,
    split_counts,
    split_tables,
    token_percentiles,
)
from pipeline.data.tokens import Tokenizer, count_tokens

COLUMNS = ("id", "category", "prompt", "chosen", "rejected", "completion", "label", "num_tokens")
_KEY = "prepare.preferences.source"
_ANSWERS = "\x1c"
_SCHEMA = pl.Schema(
    {
        "file": pl.String(),
        "line": pl.Int64(),
        "id": pl.String(),
        "split": pl.String(),
        "prompt_key": pl.String(),
        "category": pl.String(),
        "chosen": pl.String(),
        "rejected": pl.String(),
        "completion": pl.String(),
        "label": pl.Boolean(),
        "num_tokens": pl.Int64(),
    }
)


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Comparisons that can be learned from, and the account of the others."""

    splits: dict[str, pl.DataFrame]
    """A table for each split."""
    report: dict[str, Any]
    """What the data report says of them."""
    bad_lines: list[str]
    """What is wrong with the malformed ones."""


def read_comparisons(prepare: Prepare, main: Source) -> Source | None:
    """The rows that the params ask for, nothing checked; None without comparisons. `main` is what `prepare` reads."""
    wanted = prepare.preferences
    if wanted.source == "none":
        return None
    if wanted.source != "auto":
        return read_files(wanted.source, wanted.max_rows, _KEY, "auto or none")
    if prepare.source == STARTER:
        return Source(list(islice(_generated(prepare), wanted.max_rows)), [])
    rows = [row for row in main.rows if all(row.columns.get(name) is not None for name in REQUIRED["pairs"])]
    return Source(rows[: wanted.max_rows], [], main.files) if rows else None


def make_comparisons(source: Source, prepare: Prepare, tokenizer: Tokenizer) -> Comparisons:
    """Check, clean and split the rows; StageError when too many are malformed or a split would be empty."""
    dropped = DroppedRows()
    for bad in source.bad:
        dropped.add(bad)
    if not source.rows:
        raise StageError("\n".join([f"{_named(prepare)}: no row can be decoded", *dropped.bad_lines()]))
    layout = _layout(source.rows, prepare)
    rows = [row for raw in source.rows if (row := _clean_or_drop(raw, layout, prepare, dropped))]
    fitting = list(_with_lengths(rows, tokenizer, dropped))
    dropped.check_bad(source.num_rows, prepare.max_bad_fraction, f"comparisons in {_named(prepare)}")
    table, twice = drop_duplicates(_table(fitting, prepare))
    table, long_rows = drop_long(table, prepare.max_tokens)
    for again in (*twice, *long_rows):
        dropped.add(again)
    _require_rows(table, dropped, prepare)
    splits = split_tables(table, prepare, COLUMNS, f"prompts with comparisons in {_named(prepare)}")
    return Comparisons(splits, _report(source, layout, dropped, table, prepare), dropped.bad_lines())


def _named(prepare: Prepare) -> str:
    """The source as messages name it."""
    named = prepare.preferences.source
    return prepare.source if named == "auto" else named


def _generated(prepare: Prepare) -> Iterator[RawRow]:
    tasks = task_rows(prepare.num_rows, prepare.seed)[: prepare.max_rows]
    for number, row in enumerate(preference_rows(tasks, prepare.seed), 1):
        yield RawRow(STARTER, number, asdict(row))


def _layout(rows: list[RawRow], prepare: Prepare) -> Layout:
    """The layout that the params name, or the one that fits most rows; StageError when none does."""
    wanted = prepare.preferences.format
    asked: list[Layout] = list(REQUIRED) if wanted == "auto" else [wanted]
    fitting = {name: sum(all(column in row.columns for column in REQUIRED[name]) for row in rows) for name in asked}
    best = max(asked, key=lambda name: fitting[name])
    if fitting[best] == 0:
        found = ", ".join(sorted({name for row in rows for name in row.columns})) or "none"
        known = "; ".join(f"{name} (prompt, {', '.join(REQUIRED[name])})" for name in asked)
        raise StageError(
            f"{_named(prepare)}: prepare.preferences.format is {wanted!r}, and no row has the columns of {known}; "
            f"columns found: {found}"
        )
    return best


def _clean_or_drop(raw: RawRow, layout: Layout, prepare: Prepare, dropped: DroppedRows) -> Comparison | None:
    try:
        return clean_comparison(raw, layout, prepare.columns)
    except RowProblem as problem:
        dropped.add(DroppedRow(raw.file, raw.line, problem.reason, problem.detail))
        return None


def _with_lengths(
    rows: list[Comparison], tokenizer: Tokenizer, dropped: DroppedRows
) -> Iterator[tuple[Comparison, int]]:
    """Each comparison with the tokens of its longest conversation; what the chat template refuses is left out."""
    conversations = ([*row.prompt, {"role": "assistant", "content": answer}] for row in rows for answer in row.answers)
    counts = (count for batch in count_tokens(tokenizer, conversations) for count in batch)
    for row in rows:
        lengths = list(islice(counts, len(row.answers)))
        problems = [length for length in lengths if isinstance(length, str)]
        if problems:
            dropped.add(DroppedRow(row.file, row.line, "refused_by_chat_template", problems[0]))
        else:
            yield row, max(length for length in lengths if isinstance(length, int))


def _table(rows: list[tuple[Comparison, int]], prepare: Prepare) -> pl.DataFrame:
    """One line per comparison, in the order read, with its id and the split of its prompt."""
    fractions = (prepare.validation_fraction, prepare.test_fraction)
    lines = []
    for row, num_tokens in rows:
        key = prompt_key(row.prompt)
        lines.append(
            {
                "file": row.file,
                "line": row.line,
                "id": row_id(key, _ANSWERS.join([*row.answers, *([] if row.label is None else [str(row.label)])])),
                "split": split_of(key, prepare.seed, *fractions),
                "prompt_key": key,
                "category": row.category,
                "chosen": row.chosen,
                "rejected": row.rejected,
                "completion": row.completion,
                "label": row.label,
                "num_tokens": num_tokens,
            }
        )
    return pl.DataFrame(lines, schema=_SCHEMA).with_columns(prompt_column([row.prompt for row, _ in rows]))


def _require_rows(table: pl.DataFrame, dropped: DroppedRows, prepare: Prepare) -> None:
    if table.is_empty():
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(dropped.counts.items()))
        hint = f"; prepare.max_tokens is {prepare.max_tokens}, raise it" if dropped.counts[TOO_LONG] else ""
        raise StageError(f"{_named(prepare)}: no comparison is left (dropped: {reasons}){hint}")


def _report(
    source: Source, layout: Layout, dropped: DroppedRows, table: pl.DataFrame, prepare: Prepare
) -> dict[str, Any]:
    return {
        "source": prepare.preferences.source,
        "files": [asdict(file) for file in source.files],
        "files_skipped": source.skipped,
        "format": layout,
        "num_rows_in": source.num_rows,
        "num_rows": table.height,
        "num_good": int(table.get_column("label").sum()) if layout == "rated" else None,
        "num_prompts": table.get_column("prompt_key").n_unique(),
        "num_dropped": sum(dropped.counts.values()),
        "num_bad": dropped.num_bad,
        "num_duplicates": dropped.counts[DUPLICATE],
        "num_ties": dropped.counts[TIE],
        "num_too_long": dropped.counts[TOO_LONG],
        "dropped": dropped.as_report(),
        "tokens": token_percentiles(table),
        "splits": split_counts(table),
        "categories": category_counts(table),
    }


def comparison_metrics(report: dict[str, Any] | None) -> dict[str, int]:
    """The figures of the comparisons that belong to the experiment's metrics; none without comparisons."""
    if report is None:
        return {}
    names = ("num_rows", "num_prompts", "num_bad", "num_duplicates", "num_ties", "num_too_long")
    splits = {f"num_{split}": report["splits"][split]["num_rows"] for split in SPLITS}
    figures = {name: report[name] for name in names} | splits
    return {f"preferences/{name}": value for name, value in figures.items()}
