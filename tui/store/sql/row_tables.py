"""Tables with one row for each experiment, commit, run or hash."""

from collections.abc import Iterator, Sequence
from typing import Any

from tui.core.experiments import Experiment
from tui.core.grouping import is_made
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
    made = _Made()
    return _columns("hashes", (
        (row.rev, row.label, kind, path, known, path in made_here)
        for row in experiments
        for made_here in (made(row),)
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


class _Made:
    """Which dependencies and outputs stages write; experiments of one pipeline share the answer."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, ...], ...], frozenset[str]] = {}

    def __call__(self, row: Experiment) -> frozenset[str]:
        key = tuple(row.deps), tuple(row.outs), row.data_sources, tuple(row.metrics)
        known = self._known.get(key)
        if known is None:
            deps = (path for path in row.deps if is_made(path, row))
            known = self._known[key] = frozenset((*deps, *(path for path in row.outs if path not in row.data_sources)))
        return known


def _columns(table: str, rows: Iterator[tuple[Any, ...]]) -> dict[str, Array]:
    return transposed([column.name for column in SCHEMA[table]], rows)
