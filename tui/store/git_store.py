"""The read side: what screens and the command line show, from Git objects, the DVC cache and clones of runs."""

from __future__ import annotations  # most of what the methods speak of is loaded only when it is asked for

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.store.awaited import AwaitedFiles
from tui.store.built_once import BuiltOnce
from tui.store.cache_file import CACHE_FOLDER, CacheFile
from tui.store.dvc_cache import DvcCache
from tui.store.dvc_tasks import DvcTasks
from tui.store.git.commits import CommitReader
from tui.store.git.history import History
from tui.store.git.row_cache import TABLE, RowCache
from tui.store.layouts.key import reading_version
from tui.store.layouts.lookup import TABLE as LAYOUTS
from tui.store.layouts.lookup import Layouts
from tui.store.listing import Listing
from tui.store.live import LiveRuns
from tui.store.names import Names
from tui.store.parsing.documents import Documents
from tui.store.project import find_project, open_project
from tui.store.values import ValueReader
from tui.store.workspace import Workspace

if TYPE_CHECKING:
    from tui.core.adapters import StoredAdapter
    from tui.core.changes import DataChange, StageChange
    from tui.core.examples import ExampleComparison, PairedScore, Score
    from tui.core.history.lineage import Line
    from tui.core.ports import FileChange, QueryResult
    from tui.core.queries import SavedQuery, SqlColumn
    from tui.core.runs import Run
    from tui.core.series import Event, Recording, Sample, Series, SeriesSummary, UnreadFile
    from tui.store.git.files import Files
    from tui.store.git.lineage import Lineage
    from tui.store.results import Results
    from tui.store.series.cache import SeriesCache
    from tui.store.series.curves import CurveReader
    from tui.store.series.reader import SeriesReader
    from tui.store.series.samples import SamplesReader
    from tui.store.sql.client import QueryClient

__all__ = ["NUM_COMMITS", "GitStore", "find_project"]

NUM_COMMITS = 20
"""How many commits of the current branch are shown, next to those that branches, tags and experiments point at."""

_SAVED_LIMIT = 100_000
_SAVED_TIMEOUT_S = 60.0


class GitStore:
    """Reads one project; safe to use from several threads. It never writes, locks or goes to the network."""

    def __init__(self, root: Path, num_commits: int = NUM_COMMITS, is_live: bool = False) -> None:
        """A live one answers at once with what is plain to see; what DVC has to be asked about comes later."""
        self._project, self._num_commits = open_project(root), num_commits
        self._lock = threading.RLock()
        documents = Documents()
        file = CacheFile(self._project.root / CACHE_FOLDER / "rows.sqlite", (TABLE, LAYOUTS))
        layouts = Layouts(documents, file, is_live=is_live)
        cache = DvcCache(self._project.root, documents)
        values = ValueReader(documents, layouts, cache)
        rows = RowCache(file, self._project.prefix, reading_version())
        self._commits = CommitReader(self._project, values, rows, AwaitedFiles(cache), is_live)
        self._workspace = Workspace(self._project, values)
        self._history = History(self._project, self._commits, num_commits)
        self._listing = Listing(LiveRuns(values, self._commits), DvcTasks(self._project.root), self._commits)
        self._names = Names(self._project, self._history, self._commits)
        self._cache, self._layouts = cache, layouts

    # What the table of experiments needs not is loaded when it is asked for: that is what a command's time goes into.

    @BuiltOnce
    def _series(self) -> SeriesReader:
        from tui.store.series.dvclive_folders import DvcliveFolders
        from tui.store.series.reader import Readers, SeriesReader

        folders = DvcliveFolders(self._project, self._commits.trees)
        readers = Readers(self._layouts, self._cache, self._commits, self._workspace, folders)
        return SeriesReader(readers, self._decoded, self._project.prefix)

    @BuiltOnce
    def _decoded(self) -> SeriesCache:
        from tui.store.series.cache import SeriesCache

        return SeriesCache(self._project.root / CACHE_FOLDER)

    @BuiltOnce
    def _curves(self) -> CurveReader:
        from tui.store.series.curves import CurveReader

        return CurveReader(self._series, self._decoded, self._lock, self._listing.clone)

    @BuiltOnce
    def _samples(self) -> SamplesReader:
        from tui.store.series.samples import SamplesReader

        return SamplesReader(self._layouts, self._cache, self._commits)

    @BuiltOnce
    def _lineage(self) -> Lineage:
        from tui.store.git.lineage import Lineage

        return Lineage(self._project, self._history, self._commits)

    @property
    def root(self) -> Path:
        """Root of the DVC project."""
        return self._project.root

    def wait(self, timeout_s: float) -> bool:
        """Wait for what DVC is being asked, of a live store; whether it has answered."""
        return self._layouts.wait(timeout_s)

    def experiments(self, runs: Sequence[Run] = ()) -> list[Experiment]:
        """Workspace, commits and experiments, newest commit first, each commit followed by its experiments."""
        with self._lock:
            snapshot = self._history.read()
            return [self._workspace.experiment(snapshot.refs.head), *self._listing.rows(snapshot, runs)]

    def resolve(self, text: str, runs: Sequence[Run] = ()) -> Experiment:
        """What a name, branch, tag, `workspace`, `HEAD` or SHA prefix means; UsageError when none or several."""
        with self._lock:
            if text == "workspace":
                return self._workspace.experiment(self._history.refs().head)
            live = self._listing.live_rows(self._history.read(), runs) if self._listing.has_live_rows(runs) else []
            return self._names.resolve(text, live)

    def series(self, experiment: Experiment, directory: Path | None = None) -> list[Series]:
        """All series of an experiment; a live one is read from the directory that it runs in."""
        return list(self._recording(experiment, directory).series)

    def summaries(self, experiments: Sequence[Experiment]) -> list[tuple[SeriesSummary, ...]]:
        """First, last, lowest and highest value of every series of each experiment, in their order."""
        return self._curves.summaries(experiments)

    def unread(self, experiments: Sequence[Experiment]) -> list[tuple[UnreadFile, ...]]:
        """Of each experiment the files whose series cannot be shown."""
        return self._curves.unread(experiments)

    def curves(self, experiments: Sequence[Experiment], stage: str, name: str, num_buckets: int) -> list[Series | None]:
        """One metric of each experiment, thinned to be drawn; None for an experiment without it."""
        return self._curves.curves(experiments, stage, name, num_buckets)

    def events(self, experiment: Experiment, directory: Path | None = None) -> list[Event]:
        """What was seen while its stages ran, in the order of the stages and steps."""
        return list(self._recording(experiment, directory).events)

    def _recording(self, experiment: Experiment, directory: Path | None) -> Recording:
        with self._lock:
            return self._series.read(experiment, directory or self._listing.clone(experiment))

    def samples(self, experiment: Experiment, directory: Path | None = None) -> list[Sample]:
        """What its models answered to the fixed prompts as they learned; none when there are none locally."""
        with self._lock:
            return self._samples.read(experiment, directory or self._folder(experiment))

    def adapters(self, experiment: Experiment) -> list[StoredAdapter]:
        """Adapters that its stages trained, in pipeline order; those whose manifest is there locally."""
        with self._lock:
            return self._results.adapters(experiment)

    def predictions(self, experiment: Experiment) -> Any:
        """Per-example results as a polars frame; an empty one when there are none locally."""
        return self._results.predictions(experiment, self.predictions_file(experiment))

    def scores(self, experiment: Experiment) -> list[Score]:
        """Means of its per-example scores with confidence intervals; none when there are none locally."""
        return self._results.scores(experiment, self.predictions_file(experiment))

    def examples(
        self, baseline: Experiment, candidate: Experiment, key: str | None = None, limit: int = 1_000
    ) -> ExampleComparison:
        """Per-example results of two experiments joined by example."""
        pair = [(row, self.predictions_file(row)) for row in (baseline, candidate)]
        return self._results.examples(pair[0], pair[1], key, limit)

    def paired(self, baseline: Experiment, candidate: Experiment, key: str) -> PairedScore | None:
        """One score of two experiments on the examples that both have."""
        pair = [(row, self.predictions_file(row)) for row in (baseline, candidate)]
        return self._results.paired(pair[0], pair[1], key)

    def predictions_file(self, experiment: Experiment) -> Path | None:
        """File with the per-example results; None when there is none locally."""
        with self._lock:
            return self._results.predictions_file(experiment)

    @BuiltOnce
    def _results(self) -> Results:
        from tui.store.results import Results

        return Results(self._cache, self._layouts, self._commits, self._folder)

    def _folder(self, experiment: Experiment) -> Path | None:
        if experiment.kind == "workspace":
            return self.root
        return self._listing.clone(experiment)

    def lineage(self, rev: str, num_commits: int) -> list[Experiment]:
        """A commit and those before it on its first-parent line, newest first; UsageError for an unknown one."""
        with self._lock:
            return self._lineage.rows(rev, num_commits)

    def line(self, old: Experiment, new: Experiment) -> Line:
        """The first-parent line from one commit to another, or how else the two lie to each other."""
        with self._lock:
            return self._lineage.between(old.rev, new.rev)

    def changed_files(self, old: Experiment, new: Experiment) -> list[FileChange]:
        """Tracked files that differ; of a run that goes on those in its clone."""
        from tui.store.git.changes import changed_between

        with self._lock:
            return changed_between(self._project, old, new, self._listing.clone)

    def changed_data(self, old: Experiment, new: Experiment) -> list[DataChange]:
        """Dependencies and outputs whose hash differs; of folders also the files."""
        from tui.store.git.changes import changed_data

        with self._lock:
            return changed_data(old, new, self._cache)

    def changed_stages(self, old: Experiment, new: Experiment) -> list[StageChange]:
        """Stages whose entry in dvc.lock differs, and in which part."""
        from tui.store.git.stages import changed_stages

        with self._lock:
            return changed_stages(self._tracked(old), self._tracked(new))

    def _tracked(self, experiment: Experiment) -> Files:
        from tui.store.git.files import FolderFiles

        if experiment.kind == "workspace":
            return self._workspace.files()
        clone = self._listing.clone(experiment)
        try:
            if clone is not None:
                return FolderFiles(clone, self._commits.files(experiment.baseline or experiment.rev).pipelines())
            return self._commits.files(experiment.rev)
        except (KeyError, ValueError) as error:
            hint = "git fetch may bring it"
            raise UserError("the commit is missing from the Git repository", experiment.rev, hint) from error

    def query(
        self,
        sql: str,
        runs: Sequence[Run] = (),
        limit: int = 10_000,
        timeout_s: float = 30.0,
        cancelled: threading.Event | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> QueryResult:
        """Rows of a read-only query over the tables of docs/sql.md, found by a process of its own."""
        from tui.store.sql.wire import Request

        request = Request(sql, tuple(runs), limit, timeout_s, dict(parameters or {}))
        return self._queries.run(request, cancelled)

    @BuiltOnce
    def _queries(self) -> QueryClient:
        from tui.store.sql.client import QueryClient

        return QueryClient(self.root, self._num_commits)

    def saved_query(self, name: str, runs: Sequence[Run] = (), **parameters: str) -> QueryResult:
        """Rows of one of the application's own queries, which are the files in `sql/`."""
        from tui.store.sql.saved import saved_query

        return self.query(saved_query(name).sql, runs, _SAVED_LIMIT, _SAVED_TIMEOUT_S, None, parameters)

    def saved_queries(self) -> list[SavedQuery]:
        """The application's own queries, by name."""
        from tui.store.sql.saved import saved_queries

        return saved_queries()

    def sql_tables(self) -> Mapping[str, Sequence[SqlColumn]]:
        """Tables that a query can name, with their columns."""
        from tui.store.sql.schema import SCHEMA

        return SCHEMA
