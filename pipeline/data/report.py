"""The data report: what came in, what was kept, what was left out and why. Equal data and params give equal reports."""

from dataclasses import asdict
from typing import Any

import polars as pl

from pipeline.contract.params import Prepare
from pipeline.data.detection import category_column
from pipeline.data.dropped import DUPLICATE, TOO_LONG, DroppedRows
from pipeline.data.formats import Format
from pipeline.data.sources import Source
from pipeline.data.splitting import SPLITS
from pipeline.data.table import category_counts, split_counts, token_percentiles


def make_report(
    prepare: Prepare, source: Source, layout: Format, dropped: DroppedRows, table: pl.DataFrame
) -> dict[str, Any]:
    """Everything that is worth knowing about the prepared data, as plain values."""
    return {
        "source": prepare.source,
        "hub": prepare.hub.model_dump() if prepare.source.startswith("hub:") else None,
        "files": [asdict(file) for file in source.files],
        "files_skipped": source.skipped,
        "format": layout.name,
        "format_detected": prepare.format == "auto",
        "columns": list(layout.required),
        "category_column": category_column(prepare.columns),
        "num_rows_in": source.num_rows,
        "num_rows": table.height,
        "num_prompts": table.get_column("prompt_key").n_unique(),
        "num_dropped": sum(dropped.counts.values()),
        "num_bad": dropped.num_bad,
        "num_duplicates": dropped.counts[DUPLICATE],
        "num_too_long": dropped.counts[TOO_LONG],
        "dropped": dropped.as_report(),
        "tokens": token_percentiles(table),
        "splits": split_counts(table),
        "categories": category_counts(table),
    }


def report_metrics(report: dict[str, Any]) -> dict[str, int]:
    """The figures of the report that belong to the experiment's metrics."""
    counts = {name: report[name] for name in ("num_rows_in", "num_rows", "num_prompts", "num_duplicates", "num_bad")}
    splits = {f"num_{split}": report["splits"][split]["num_rows"] for split in SPLITS}
    tokens = {f"tokens_{name}": report["tokens"][name] for name in ("p50", "p95", "max")}
    figures = counts | {"num_too_long": report["num_too_long"]} | splits | tokens
    return {f"data/{name}": value for name, value in figures.items()}
