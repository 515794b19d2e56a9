"""A store and a runner in memory; each of their calls can be held back, made to fail, or given another answer."""

import threading
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.core.adapters import StoredAdapter
from tui.core.changes import DataChange, StageChange
from tui.core.examples import ExampleComparison, PairedScore, Score
from tui.core.experiments import Experiment
from tui.core.history.lineage import Line
from tui.core.ports import FileChange, QueryResult
from tui.core.queries import SavedQuery, SqlColumn
from tui.core.runs import LaunchPlan, Run, RunRequest, StagePlan
from tui.core.series import Event, Sample, Series, SeriesSummary, UnreadFile
from tui.store.series.summaries import summarize_all

_PATIENCE_S = 10


@dataclass
class Answer:
    """What one call gives: a value, or an error to raise; it waits until it is released."""

    value: Any
    entered: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


class Script:
    """Answers that were laid out for the next calls of each method; without one a call gives its default."""

    def __init__(self) -> None:
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)
        self._held: list[Answer] = []
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def hold(self, method: str, value: Any) -> Answer:
        """The next free call of the method waits until its answer is released."""
        answer = Answer(value)
        self._answers[method].append(answer)
        self._held.append(answer)
        return answer

    def release_all(self) -> None:
        """Let every call that waits, or will wait, go on."""
        for answer in self._held:
            answer.released.set()

    def give(self, method: str, value: Any) -> None:
        """The next free call of the method gets this at once."""
        self.hold(method, value).released.set()

    def answer(self, method: str, default: Any, *arguments: Any) -> Any:
        """What a call of the method gives."""
        self.calls.append((method, arguments))
        if not self._answers[method]:
            return default
        answer = self._answers[method].popleft()
        answer.entered.set()
        if not answer.released.wait(_PATIENCE_S):
            raise AssertionError(f"nobody released {method}")
        if isinstance(answer.value, BaseException):
            raise answer.value
        return answer.value

    def count(self, method: str) -> int:
        """How often the method was called."""
        return sum(name == method for name, _ in self.calls)


class Frame:
    """As much of a polars frame as the screens use."""

    def __init__(self, rows: Sequence[dict[str, Any]] = ()) -> None:
        self._rows = list(rows)

    def head(self, num: int) -> "Frame":
        """The first rows."""
        return Frame(self._rows[:num])

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows."""
        return self._rows


class FakeStore:
    """The read side."""

    def __init__(self, experiments: Sequence[Experiment] = (), root: Path = Path("/home/ada/nl2sh")) -> None:
        self.script = Script()
        self.listing = list(experiments)
        self.recorded: dict[str, list[Series]] = {}
        self.unread_files: dict[str, tuple[UnreadFile, ...]] = {}
        self.answers: list[dict[str, Any]] = []
        self.seen: dict[str, list[Event]] = {}
        self.sampled: dict[str, list[Sample]] = {}
        self.scored: dict[str, list[Score]] = {}
        self.compared: dict[str, ExampleComparison] = {}
        self._root = root

    @property
    def root(self) -> Path:
        """Root of the project."""
        return self._root

    def experiments(self, runs: Sequence[Run] = ()) -> list[Experiment]:
        """The listing."""
        answer: list[Experiment] = self.script.answer("experiments", self.listing, tuple(runs))
        return list(answer)

    def resolve(self, text: str, runs: Sequence[Run] = ()) -> Experiment:
        """By name."""
        return next(row for row in self.listing if text in {row.name, row.rev})

    def series(self, experiment: Experiment, directory: Path | None = None) -> list[Series]:
        """Curves by the label of the experiment."""
        answer: list[Series] = self.script.answer(
            "series", self.recorded.get(experiment.label, []), experiment, directory
        )
        return answer

    def summaries(self, experiments: Sequence[Experiment]) -> list[tuple[SeriesSummary, ...]]:
        """Of the curves by the label of the experiment."""
        return [summarize_all(self.series(experiment)) for experiment in experiments]

    def unread(self, experiments: Sequence[Experiment]) -> list[tuple[UnreadFile, ...]]:
        """By the label of the experiment."""
        return [self.unread_files.get(row.label, ()) for row in experiments]

    def curves(self, experiments: Sequence[Experiment], stage: str, name: str, num_buckets: int) -> list[Series | None]:
        """One of the curves by the label of the experiment, as it is."""
        found = ({(one.stage, one.name): one for one in self.recorded.get(row.label, [])} for row in experiments)
        return [curves.get((stage, name)) for curves in found]

    def events(self, experiment: Experiment, directory: Path | None = None) -> list[Event]:
        """What was seen, by the label of the experiment."""
        found: list[Event] = self.script.answer("events", self.seen.get(experiment.label, []), experiment)
        return list(found)

    def samples(self, experiment: Experiment, directory: Path | None = None) -> list[Sample]:
        """Samples by the label of the experiment."""
        found: list[Sample] = self.script.answer("samples", self.sampled.get(experiment.label, []), experiment)
        return list(found)

    def adapters(self, experiment: Experiment) -> list[StoredAdapter]:
        """None."""
        return []

    def predictions(self, experiment: Experiment) -> Any:
        """The same for all experiments."""
        return self.script.answer("predictions", Frame(self.answers), experiment)

    def scores(self, experiment: Experiment) -> list[Score]:
        """Scores by the label of the experiment."""
        found: list[Score] = self.script.answer("scores", self.scored.get(experiment.label, []), experiment)
        return list(found)

    def examples(
        self, baseline: Experiment, candidate: Experiment, key: str | None = None, limit: int = 1_000
    ) -> ExampleComparison:
        """By the label of the candidate."""
        default = self.compared.get(candidate.label, ExampleComparison(0, 0))
        answer: ExampleComparison = self.script.answer("examples", default, baseline, candidate, key)
        return answer

    def paired(self, baseline: Experiment, candidate: Experiment, key: str) -> PairedScore | None:
        """By the label of the candidate."""
        return self.compared.get(candidate.label, ExampleComparison(0, 0)).score(key)

    def lineage(self, rev: str, num_commits: int) -> list[Experiment]:
        """Commits of the listing from this one on."""
        commits = [row for row in self.listing if row.kind == "commit"]
        place = next((place for place, row in enumerate(commits) if row.rev == rev), 0)
        answer: list[Experiment] = self.script.answer("lineage", commits[place:], rev)
        return answer[:num_commits]

    def line(self, old: Experiment, new: Experiment) -> Line:
        """Nothing lies between."""
        return Line("unrelated")

    def changed_stages(self, old: Experiment, new: Experiment) -> list[StageChange]:
        """None."""
        return []

    def changed_data(self, old: Experiment, new: Experiment) -> list[DataChange]:
        """None."""
        return []

    def changed_files(self, old: Experiment, new: Experiment) -> list[FileChange]:
        """None."""
        return []

    def query(
        self,
        sql: str,
        runs: Sequence[Run] = (),
        limit: int = 10_000,
        timeout_s: float = 30.0,
        cancelled: threading.Event | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> QueryResult:
        """No rows."""
        answer: QueryResult = self.script.answer("query", QueryResult((), (), False), sql, cancelled)
        return answer

    def sql_tables(self) -> Mapping[str, Sequence[SqlColumn]]:
        """Two tables."""
        return {
            "experiments": (SqlColumn("rev", "VARCHAR", "full SHA"), SqlColumn("name", "VARCHAR", "its name")),
            "metrics": (SqlColumn("key", "VARCHAR", "its name"), SqlColumn("value", "DOUBLE", "if it is a number")),
        }

    def saved_queries(self) -> Sequence[SavedQuery]:
        """One without parameters, one with."""
        return (
            SavedQuery("everything", "All experiments.", "SELECT * FROM experiments"),
            SavedQuery("leaderboard", "By one metric.", "SELECT name, value FROM metrics WHERE key = $metric"),
        )


class FakeRunner:
    """The write side."""

    def __init__(self, runs: Sequence[Run] = (), values: Mapping[str, Any] | None = None) -> None:
        self.script = Script()
        self.listing = list(runs)
        self.values = dict(values or {})
        self.logs: dict[str, str] = {}
        self.launch_plan = LaunchPlan(())
        self.stopped: list[str] = []
        self.log_of_commands: list[str] = []

    def plan(self, request: RunRequest) -> LaunchPlan:
        """The plan laid out."""
        answer: LaunchPlan = self.script.answer("plan", self.launch_plan, request)
        return answer

    def outdated(self, rev: str, results: Sequence[str]) -> Sequence[StagePlan]:
        """Everything is up to date."""
        return ()

    def launch(self, request: RunRequest) -> Run:
        """The run laid out."""
        answer: Run = self.script.answer("launch", None, request)
        return answer

    def runs(self) -> list[Run]:
        """The listing."""
        answer: list[Run] = self.script.answer("runs", self.listing)
        return list(answer)

    def stop(self, run_id: str) -> None:
        """Remember who was stopped."""
        self.script.answer("stop", None, run_id)
        self.stopped.append(run_id)

    def remove(self, run_id: str) -> None:
        """Nothing to forget."""

    def read_log(self, run_id: str, offset: int = 0) -> tuple[str, int]:
        """The log from an offset on."""
        log = self.logs.get(run_id, "")
        answer: tuple[str, int] = self.script.answer("read_log", (log[offset:], len(log)), run_id, offset)
        return answer

    def params(self) -> Mapping[str, Any]:
        """Params of the workspace."""
        answer: Mapping[str, Any] = self.script.answer("params", self.values)
        return answer

    def commands(self) -> Sequence[str]:
        """What was run."""
        return self.log_of_commands
