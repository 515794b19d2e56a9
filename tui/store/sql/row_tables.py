"""Tables with one row for each experiment, commit, run or hash."""

from collections.abc import Iterator, Sequence
from typing import Any

from tui.core.experiments import Experiment
from tui.core.methods import method_of
from tui.core.runs import Run
from tui.store.sql.arrays import Array, transposed, utc
from tui.store.sql.schema import SCHEMA


def experiment_columns(experiments: Sequence[Experiment]) -> dict[str, Array]:
    """Table `experiments`."""
    return _columns("experiments", (
        (
            row.rev, row.label, row.kind, row.baseline, ", ".join(row.refs), utc(row.timestamp), row.subject,
            row.status, method_of(row), row.stage, row.fraction, len(row.missing), row.error, row.run_id,
        )
        for row in experiments
    ))  # fmt: skip


def hash_columns(experiments: Sequence[Experiment]) -> dict[str, Array]:
    """Table `hashes`."""
    return _columns("hashes", (
        (row.rev, row.label, kind, path, known)
        for row in experiments
        for kind, files in (("dep", row.deps), ("out", row.outs))
        for path, known in files.items()
    ))  # fmt: skip


def commit_columns(experiments: Sequence[Experiment]) -> dict[str, Array]:
    """Table `commits`."""
    return _columns("commits", (
        (row.rev, ", ".join(row.refs), utc(row.timestamp), row.subject)
        for row in experiments if row.kind == "commit"
    ))  # fmt: skip


def run_columns(runs: Sequence[Run]) -> dict[str, Array]:
    """Table `runs`."""
    return _columns("runs", (
        (
            run.id, run.name, run.status, run.baseline, run.snapshot, run.rev, utc(run.started_at),
            utc(run.ended_at), run.error, run.command,
        )
        for run in runs
    ))  # fmt: skip


def _columns(table: str, rows: Iterator[tuple[Any, ...]]) -> dict[str, Array]:
    return transposed([column.name for column in SCHEMA[table]], rows)
