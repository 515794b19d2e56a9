"""Stage `prepare`: read the data, check and clean it, drop duplicates and long rows, split by content.

Writes one Parquet file per split and a report; comparisons of answers, where there are some, go the same way.
It is not a filter for quality: what is well formed is kept.
"""

from pipeline.contract.main import run_stage

if __name__ == "__main__":
    # Above the libraries: wrong params are told before those are loaded.
    run_stage("pipeline.stages.prepare")

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import polars as pl

from pipeline.contract.files import write_bytes, write_json
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Params, Prepare
from pipeline.contract.paths import DATA_REPORT, model_dir, preferences_file, split_file
from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder
from pipeline.data.cleaning import clean_row
from pipeline.data.comparisons import Comparisons, comparison_metrics, make_comparisons, read_comparisons
from pipeline.data.detection import choose_format
from pipeline.data.dropped import TOO_LONG, DroppedRows
from pipeline.data.formats import Format
from pipeline.data.report import make_report, report_metrics
from pipeline.data.rows import DroppedRow, RawRow, Row, RowProblem
from pipeline.data.sources import Source, read_source
from pipeline.data.table import drop_duplicates, drop_long, make_table, split_tables
from pipeline.data.tokens import Tokenizer, chat_tokenizer, count_tokens
from pipeline.models.messages import Message


def run(params: Params) -> None:
    """Prepare the data; equal data and params give equal files."""
    prepare = params.prepare
    with StageRecorder("prepare", seed=prepare.seed) as recorder:
        source = read_source(prepare)
        preferences = read_comparisons(prepare, source)
        num_rows = source.num_rows + (preferences.num_rows if preferences else 0)
        recorder.plan(num_rows)
        dropped = DroppedRows()
        layout, rows = _clean(source, prepare, dropped)
        table, duplicates = drop_duplicates(make_table(rows, prepare))
        recorder.log(source.num_rows - table.height)

        tokenizer = chat_tokenizer(Path(read_manifest(model_dir("base")).tokenizer), params.base.trust_remote_code)
        table = _with_num_tokens(table, tokenizer, recorder, dropped)
        dropped.check_bad(source.num_rows, prepare.max_bad_fraction)
        _say_bad(dropped.bad_lines())
        table, long_rows = drop_long(table, prepare.max_tokens)
        for row in (*duplicates, *long_rows):
            dropped.add(row)
        _require_rows(table, dropped, prepare)

        splits = split_tables(table, prepare)
        comparisons = make_comparisons(preferences, prepare, tokenizer) if preferences else None
        _say_bad(comparisons.bad_lines if comparisons else [])
        report = make_report(prepare, source, layout, dropped, table)
        report["preferences"] = comparisons.report if comparisons else None
        _write(splits, comparisons)
        write_json(DATA_REPORT, report)
        recorder.log(num_rows)
        recorder.finish(report_metrics(report) | comparison_metrics(report["preferences"]), {})


def _clean(source: Source, prepare: Prepare, dropped: DroppedRows) -> tuple[Format, list[Row]]:
    for bad in source.bad:
        dropped.add(bad)
    if not source.rows:
        raise StageError("\n".join([f"{prepare.source}: no row can be decoded", *dropped.bad_lines()]))
    layout = choose_format(source.rows, prepare)
    rows = []
    for raw in source.rows:
        result = _clean_or_drop(raw, layout, prepare)
        if isinstance(result, Row):
            rows.append(result)
        else:
            dropped.add(result)
    dropped.check_bad(source.num_rows, prepare.max_bad_fraction)
    return layout, rows


def _clean_or_drop(raw: RawRow, layout: Format, prepare: Prepare) -> Row | DroppedRow:
    try:
        return clean_row(raw, layout, prepare.columns)
    except RowProblem as problem:
        return DroppedRow(raw.file, raw.line, problem.reason, problem.detail)


def _with_num_tokens(
    table: pl.DataFrame, tokenizer: Tokenizer, recorder: StageRecorder, dropped: DroppedRows
) -> pl.DataFrame:
    """Count the tokens of every row; rows that the chat template refuses are left out."""
    num_before = recorder.record.step
    counts: list[int | str] = []
    for batch in count_tokens(tokenizer, _conversations(table)):
        counts += batch
        recorder.log(num_before + len(counts))
    for (file, line), problem in zip(table.select("file", "line").iter_rows(), counts, strict=True):
        if isinstance(problem, str):
            dropped.add(DroppedRow(file, line, "refused_by_chat_template", problem))
    num_tokens = [count if isinstance(count, int) else None for count in counts]
    return table.with_columns(pl.Series("num_tokens", num_tokens, pl.Int64)).drop_nulls("num_tokens")


def _conversations(table: pl.DataFrame) -> Iterator[list[Message]]:
    for prompt, completion in table.select("prompt", "completion").iter_rows():
        yield [*prompt, {"role": "assistant", "content": completion}]


def _say_bad(lines: list[str]) -> None:
    for line in lines:
        sys.stderr.write(f"prepare: {line}\n")


def _require_rows(table: pl.DataFrame, dropped: DroppedRows, prepare: Prepare) -> None:
    if table.is_empty():
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(dropped.counts.items()))
        hint = f"; prepare.max_tokens is {prepare.max_tokens}, raise it" if dropped.counts[TOO_LONG] else ""
        raise StageError(f"{prepare.source}: no row is left (dropped: {reasons}){hint}")


def _write(splits: dict[str, pl.DataFrame], comparisons: Comparisons | None) -> None:
    """Write the splits; without comparisons their files go, as a reader looks whether they are there."""
    for split, rows in splits.items():
        _write_parquet(split_file(split), rows)
        if comparisons:
            _write_parquet(preferences_file(split), comparisons.splits[split])
        else:
            preferences_file(split).unlink(missing_ok=True)


def _write_parquet(path: Path, table: pl.DataFrame) -> None:
    data = BytesIO()
    table.write_parquet(data)
    write_bytes(path, data.getvalue())
