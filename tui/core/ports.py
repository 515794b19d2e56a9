"""What screens and the command line need from the outside; app.py and the command line pass the real clients."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tui.core.adapters import StoredAdapter
from tui.core.changes import DataChange, StageChange
from tui.core.examples import ExampleComparison, PairedScore, Score
from tui.core.experiments import Experiment
from tui.core.history.lineage import Line
from tui.core.queries import SavedQuery, SqlColumn
from tui.core.runs import LaunchPlan, Run, RunRequest, StagePlan
from tui.core.series import Event, Sample, Series, SeriesSummary, UnreadFile


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows of a SQL query."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool
    """Whether there were more rows than the limit."""
    types: tuple[str, ...] = ()
    """SQL types of the columns."""
    notes: tuple[str, ...] = ()
    """Which experiments are left out because their files cannot be read."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs between two revisions."""

    path: str
    status: str
    """`added`, `deleted`, `modified`."""
    added: int
    """Lines added; 0 for a binary file."""
    deleted: int
    """Lines deleted; 0 for a binary file."""


class Store(Protocol):
    """The read side."""

    @property
    def root(self) -> Path:
        """Root of the DVC project."""

    def experiments(self, runs: Sequence[Run] = ()) -> list[Experiment]:
        """Workspace, commits and experiments, newest commit first, each commit followed by its experiments; runs that
        have no commit yet are rows of their own, read from their clone."""

    def resolve(self, text: str, runs: Sequence[Run] = ()) -> Experiment:
        """The experiment that a name, branch, tag, `workspace` or SHA prefix means; UsageError when none or several."""

    def series(self, experiment: Experiment, directory: Path | None = None) -> list[Series]:
        """All series of an experiment; a live one is read from the directory that it runs in."""

    def summaries(self, experiments: Sequence[Experiment]) -> list[tuple[SeriesSummary, ...]]:
        """First, last, lowest and highest value of every series of each experiment, in their order."""

    def unread(self, experiments: Sequence[Experiment]) -> list[tuple[UnreadFile, ...]]:
        """Of each experiment the files whose series cannot be shown, and why."""

    def curves(self, experiments: Sequence[Experiment], stage: str, name: str, num_buckets: int) -> list[Series | None]:
        """One metric of each experiment, thinned to the lowest and the highest point of each of so many buckets of
        steps; None for an experiment without it."""

    def events(self, experiment: Experiment, directory: Path | None = None) -> list[Event]:
        """What was seen while its stages ran, in the order of the stages and steps; live as `series`."""

    def samples(self, experiment: Experiment, directory: Path | None = None) -> list[Sample]:
        """What its models answered to the fixed prompts as they learned; none when there are none locally."""

    def adapters(self, experiment: Experiment) -> list[StoredAdapter]:
        """Adapters that its stages trained, in pipeline order; those whose manifest is there locally."""

    def predictions(self, experiment: Experiment) -> Any:
        """Per-example results as a polars frame; an empty one when there are none locally."""

    def scores(self, experiment: Experiment) -> list[Score]:
        """Means of its per-example scores with confidence intervals; none when there are none locally."""

    def examples(
        self, baseline: Experiment, candidate: Experiment, key: str | None = None, limit: int = 1_000
    ) -> ExampleComparison:
        """Per-example results of two experiments joined by example; `key` is the score whose changes are listed,
        the most important one by default."""

    def paired(self, baseline: Experiment, candidate: Experiment, key: str) -> PairedScore | None:
        """One score of two experiments on the examples that both have; None where they share none."""

    def lineage(self, rev: str, num_commits: int) -> list[Experiment]:
        """A commit and those before it on its first-parent line, newest first; UsageError for an unknown one."""

    def line(self, old: Experiment, new: Experiment) -> Line:
        """The first-parent line from one commit to another, or how else the two lie to each other."""

    def changed_files(self, old: Experiment, new: Experiment) -> list[FileChange]:
        """Tracked files that differ."""

    def changed_data(self, old: Experiment, new: Experiment) -> list[DataChange]:
        """Dependencies and outputs whose hash differs; of folders also the files, if the local cache lists them."""

    def changed_stages(self, old: Experiment, new: Experiment) -> list[StageChange]:
        """Stages whose entry in dvc.lock differs, and in which part."""

    def query(
        self,
        sql: str,
        runs: Sequence[Run] = (),
        limit: int = 10_000,
        timeout_s: float = 30.0,
        cancelled: threading.Event | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> QueryResult:
        """Rows of a read-only query over the tables of docs/sql.md; setting `cancelled` ends it with a UserError."""

    def sql_tables(self) -> Mapping[str, Sequence[SqlColumn]]:
        """Tables that a query can name, with their columns."""

    def saved_queries(self) -> Sequence[SavedQuery]:
        """The application's own queries, by name."""


class Runner(Protocol):
    """The write side."""

    def plan(self, request: RunRequest) -> LaunchPlan:
        """What a launch would run, and why, and what speaks against it; changes nothing."""

    def outdated(self, rev: str, results: Sequence[str]) -> Sequence[StagePlan]:
        """Stages of a commit that some of its result files come from, and whose recorded results belong to other
        params, code or data than the commit has."""

    def launch(self, request: RunRequest) -> Run:
        """Start a run in a clone and return at once; UserError when it cannot start."""

    def runs(self) -> list[Run]:
        """All runs whose record exists, newest first, with their true state."""

    def stop(self, run_id: str) -> None:
        """Ask a run to stop and return at once; it ends as `cancelled` with the metrics so far."""

    def remove(self, run_id: str) -> None:
        """Forget a run that has ended: its record, log and clone; the experiment stays."""

    def read_log(self, run_id: str, offset: int = 0) -> tuple[str, int]:
        """Log text from a byte offset on, and the next offset."""

    def params(self) -> Mapping[str, Any]:
        """Params of the workspace, as nested values."""

    def commands(self) -> Sequence[str]:
        """Every git or dvc command that this process has run, oldest first."""
