"""The predictions table: one row per example, the adapted model beside the base model."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.contract.files import write_bytes
from pipeline.contract.series import finite
from pipeline.evals.examples import Example
from pipeline.evals.measure import ExampleScore
from pipeline.evals.summary import ratio

_SCORES = {
    "prediction": pl.String,
    "loss": pl.Float64,
    "token_accuracy": pl.Float64,
    "exact_match": pl.Boolean,
    "chrf": pl.Float64,
    "rouge_l": pl.Float64,
    "completion_tokens": pl.Int64,
    "truncated": pl.Boolean,
}
_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("id", "category", "prompt", "reference"), pl.String),
    **_SCORES,
    **{f"base_{name}": kind for name, kind in _SCORES.items()},
}


def write_predictions(
    path: Path, examples: Sequence[Example], scores: Sequence[ExampleScore], base_scores: Sequence[ExampleScore]
) -> None:
    """Write the table; texts are stored as they are, whoever shows them must neutralise them."""
    rows = [
        {"id": example.id, "category": example.category, "prompt": example.prompt_text, "reference": example.completion}
        | _columns("", score)
        | _columns("base_", base_score)
        for example, score, base_score in zip(examples, scores, base_scores, strict=True)
    ]
    data = BytesIO()
    pl.DataFrame(rows, schema=_SCHEMA).write_parquet(data)
    write_bytes(path, data.getvalue())


def _columns(prefix: str, score: ExampleScore) -> dict[str, Any]:
    reference = score.likelihood
    values = {
        "prediction": score.prediction,
        "loss": finite(ratio(reference.nats, reference.num_tokens)),
        "token_accuracy": finite(ratio(reference.num_first, reference.num_tokens)),
        "exact_match": score.exact_match,
        "chrf": score.chrf,
        "rouge_l": score.rouge_l,
        "completion_tokens": score.completion_tokens,
        "truncated": score.truncated,
    }
    return {f"{prefix}{name}": value for name, value in values.items()}
