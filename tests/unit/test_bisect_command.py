"""`finetui bisect` over stored histories, with a runner that makes its experiments at once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.store_repos import RepoBuilder, make_run
from tui.cli import running
from tui.cli.bisecting.command import bisect
from tui.cli.bisecting.record import BisectionFile
from tui.cli.context import Context
from tui.cli.parser import build_parser
from tui.core.errors import UsageError, UserError
from tui.core.runs import LaunchPlan, Run, RunRequest, StagePlan

PIPELINE = """stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [lr]
    metrics:
    - metrics.json:
        cache: false
"""
CONDITION = "test/accuracy >= 0.8"


class FakeRunner:
    """Runs end as soon as somebody looks at them again, with the value that their commit would have."""

    def __init__(self, builder: RepoBuilder, values: Mapping[str, Any]) -> None:
        self.builder, self.values = builder, values
        self.requests: list[RunRequest] = []
        self.dies_after_launch = False
        self.num_checks = 0
        self.outdated_revs: set[str] = set()
        self.trouble: UserError | None = None
        self.problems: dict[str, str] = {}
        self._runs: list[Run] = []

    def runs(self) -> list[Run]:
        """All runs; those that went on end now."""
        self._runs = [self._end(run) if run.is_active else run for run in self._runs]
        return list(self._runs)

    def plan(self, request: RunRequest) -> LaunchPlan:
        """Problems of some commits."""
        found = self.problems.get(str(request.rev))
        return LaunchPlan((), (found,) if found else ())

    def outdated(self, rev: str, results: Sequence[str]) -> Sequence[StagePlan]:
        """Some commits hold the results of other code."""
        assert list(results) == ["metrics.json"]
        self.num_checks += 1
        if self.trouble is not None:
            raise self.trouble
        return [StagePlan("train", True, "code", "train.py changed", None)] if rev in self.outdated_revs else []

    def launch(self, request: RunRequest) -> Run:
        """A run that goes on until it is looked at."""
        self.requests.append(request)
        name = request.name or f"run-{len(self.requests)}"
        rev = str(request.rev)
        started = datetime.now(UTC)
        overrides = dict(request.overrides)
        run = make_run(
            self.builder, rev, id=f"r{len(self.requests)}", name=name, started_at=started, overrides=overrides
        )
        self._runs.insert(0, run)
        if self.dies_after_launch:
            raise KeyboardInterrupt
        return run

    def _end(self, run: Run) -> Run:
        value = self.values[run.baseline]
        if value in {"failed", "cancelled"}:
            return replace(run, status=value, error="out of memory")
        metrics = {} if value is None else {"test/accuracy": value}
        rev = self.builder.experiment(run.name, run.baseline, {"metrics.json": metrics})
        return replace(run, status="done", rev=rev)


class Bench:
    """A line of commits, each of which changes the code, and a runner for them."""

    def __init__(self, root: Path, values: Sequence[Any], stored: Sequence[int] = ()) -> None:
        self.builder = RepoBuilder(root)
        self.revs: list[str] = []
        for number, value in enumerate(values):
            files: dict[str, Any] = {"train.py": f"step = {number}\n", "dvc.yaml": PIPELINE, "params.yaml": "lr: 0.1\n"}
            if number in stored:
                files["metrics.json"] = {"test/accuracy": value}
            self.revs.append(self.builder.commit(files, f"commit {number}"))
        self.builder.checkout()
        self.runner = FakeRunner(self.builder, dict(zip(self.revs, values, strict=True)))
        # a commit without metrics of its own has those of the one before
        self.runner.outdated_revs = {rev for number, rev in enumerate(self.revs) if number not in stored}

    def run(self, *arguments: str, is_read_only: bool = False) -> int:
        """The command, in a process that knows nothing of the one before."""
        context = Context(self.builder.root)
        context.__dict__["runner"] = self.runner
        first = ["--read-only"] if is_read_only else []
        return bisect(context, build_parser().parse_args([*first, "bisect", *arguments]))

    def search_read_only(self, *options: str) -> int:
        """Find it without changing anything."""
        return self.run(self.revs[0], self.revs[-1], CONDITION, *options, is_read_only=True)

    def search(self, *options: str) -> int:
        """Find the first bad commit of the whole line."""
        return self.run(self.revs[0], self.revs[-1], CONDITION, *options)

    @property
    def launched(self) -> list[int]:
        """Places of the commits that were run, in order."""
        return [self.revs.index(str(request.rev)) for request in self.runner.requests]


GOOD_THEN_BAD = [0.9, 0.9, 0.91, 0.92, 0.9, 0.7, 0.71, 0.7, 0.69]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_POLL_S", 0.0)


def _printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_stored_metrics_decide_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, range(9))
    assert bench.search() == 0
    assert bench.launched == []
    told = capsys.readouterr().out
    assert f"{bench.revs[5][:7]} commit 5 is the first commit that is not {CONDITION} (0.9 -> 0.7)" in told
    assert "train.py" in told


def test_only_untested_commits_between_the_nearest_ones_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, (0, 1, 2, 6, 7, 8))
    assert bench.search("--json") == 0
    told = _printed(capsys)
    assert told["first_bad"] == bench.revs[5]
    assert bench.launched == [4, 5]
    assert {one["rev"]: one["how"] for one in told["tested"]} == {
        bench.revs[0]: "stored", bench.revs[2]: "stored", bench.revs[4]: "run", bench.revs[5]: "run",
        bench.revs[6]: "stored", bench.revs[8]: "stored",
    }  # fmt: skip
    assert [request.name for request in bench.runner.requests] == [f"bisect-{bench.revs[n][:7]}" for n in (4, 5)]


def test_without_any_stored_metric_the_ends_run_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD)
    assert bench.search() == 0
    assert bench.launched == [0, 8, 4, 6, 5]


def test_an_end_that_is_not_as_was_said_is_wrong_use(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", [0.7, *GOOD_THEN_BAD[1:]], range(9))
    with pytest.raises(UsageError, match=r"given as good, but its value is 0\.7"):
        bench.search()
    with pytest.raises(UsageError, match="no bisection"):
        bench.run("status")


def test_metrics_of_other_code_do_not_count_unless_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, range(9))
    bench.runner.outdated_revs = {bench.revs[5]}
    bench.runner.values = {**bench.runner.values, bench.revs[5]: 0.9}
    assert bench.search("--json") == 0
    assert bench.launched == [5]
    assert _printed(capsys)["first_bad"] == bench.revs[6]
    bench.run("reset")
    assert bench.search("--json", "--trust") == 0
    assert bench.launched == [5]


def test_an_experiment_with_the_same_code_and_params_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, (0, 1, 2, 3, 7, 8))
    experiment = bench.builder.experiment
    experiment("same", bench.revs[5], {"metrics.json": {"test/accuracy": 0.7}, "dvc.lock": "schema: '2.0'\n"})
    experiment("other-params", bench.revs[4], {"metrics.json": {"test/accuracy": 0.1}, "params.yaml": "lr: 0.2\n"})
    experiment("other-code", bench.revs[4], {"metrics.json": {"test/accuracy": 0.1}, "train.py": "other\n"})
    assert bench.search("--json") == 0
    assert bench.launched == [4]
    assert {one["how"] for one in _printed(capsys)["tested"]} == {"stored", "run", "experiment"}


def test_a_commit_that_fails_is_gone_around(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values: list[Any] = [0.9, 0.9, 0.9, 0.9, "failed", 0.7, 0.7, 0.7, 0.7]
    bench = Bench(tmp_path / "p", values, (0, 8))
    assert bench.search("--json") == 1
    told = _printed(capsys)
    assert (told["state"], told["first_bad"]) == ("undecided", None)
    assert told["candidates"] == bench.revs[4:6]
    reasons = {one["rev"]: one["reason"] for one in told["tested"]}
    assert reasons[bench.revs[4]] == "its run failed: out of memory"
    assert bench.run("status") == 0
    shown = capsys.readouterr().out
    assert "one of these 2 broke it" in shown
    assert "out of memory" in shown


def test_a_commit_that_cannot_be_launched_or_has_no_value_is_skipped(tmp_path: Path) -> None:
    values: list[Any] = [0.9, 0.9, 0.9, 0.9, None, 0.9, 0.7, 0.7, 0.7]
    bench = Bench(tmp_path / "p", values, (0, 8))
    bench.runner.problems = {bench.revs[3]: "the project has no pipeline"}
    assert bench.search() == 0
    assert bench.launched == [4, 5, 6]


def test_a_kill_in_the_moment_of_a_launch_leaves_no_run_behind(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, (0, 8))
    bench.runner.dies_after_launch = True
    with pytest.raises(KeyboardInterrupt):
        bench.search()
    bench.runner.dies_after_launch = False
    assert bench.run("run") == 0
    assert bench.launched == [4, 6, 5]
    assert len({request.rev for request in bench.runner.requests}) == 3


def test_a_cancelled_run_ends_the_search_until_somebody_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", [*GOOD_THEN_BAD[:4], "cancelled", *GOOD_THEN_BAD[5:]], (0, 8))
    with pytest.raises(UserError, match="was cancelled"):
        bench.search()
    assert bench.run("skip") == 0
    assert bench.run("run") == 1
    assert bench.launched == [4, 3, 5]


def test_another_search_does_not_replace_one_under_way(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, (0, 8))
    assert bench.run("start", "--good", bench.revs[0], "--bad", bench.revs[8], CONDITION) == 0
    with pytest.raises(UsageError, match="under way"):
        bench.run(bench.revs[0], bench.revs[8], "test/accuracy >= 0.85")
    assert bench.search() == 0
    assert bench.run(bench.revs[0], bench.revs[8], "test/accuracy >= 0.85") == 0


def test_the_plan_runs_and_keeps_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, (0, 8))
    assert bench.search("--plan", "--json") == 0
    told = _printed(capsys)
    assert (told["state"], told["next"], told["max_runs"]) == ("searching", bench.revs[4], 3)
    assert BisectionFile(bench.builder.root).read() is None
    assert bench.launched == []


def test_overrides_go_into_every_run_and_stored_results_of_other_params_do_not_count(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, range(9))
    for rev in bench.revs:
        bench.runner.values = {**bench.runner.values}
        bench.builder.experiment("half", rev, {"metrics.json": {"test/accuracy": 0.1}, "params.yaml": "lr: 0.05\n"})
    with pytest.raises(UsageError, match=r"given as good, but its value is 0\.1"):
        bench.search("-S", "lr=0.05")
    assert bench.search("-S", "lr=0.1") == 0
    assert bench.launched == []


def test_results_that_many_commits_carry_on_are_checked_by_halving(tmp_path: Path) -> None:
    values = [0.9] * 40 + [0.5]
    bench = Bench(tmp_path / "p", values, range(41))
    bench.runner.outdated_revs = set(bench.revs[25:40])
    bench.runner.values = {rev: 0.9 if place < 30 else 0.5 for place, rev in enumerate(bench.revs)}
    assert bench.search("--json") == 0
    assert len(bench.launched) <= 4
    assert set(bench.launched) >= {29, 30}
    assert bench.runner.num_checks <= 2 + 6 + 1
    record = BisectionFile(bench.builder.root).read()
    assert record is not None
    assert set(record.outdated) == bench.runner.outdated_revs


def test_a_search_that_leads_nowhere_gives_way_to_another(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", [0.7, *GOOD_THEN_BAD[1:]])
    with pytest.raises(UsageError, match="was given as good"):
        bench.search()
    assert bench.run(bench.revs[1], bench.revs[8], CONDITION) == 0


@pytest.mark.parametrize("words", [("run",), ("status",), ("same",), ("other",), ("other", "start")])
def test_trouble_that_passes_loses_no_tested_commit(tmp_path: Path, words: tuple[str, ...]) -> None:
    bench = Bench(tmp_path / "p", [*GOOD_THEN_BAD[:4], "cancelled", *GOOD_THEN_BAD[5:]], range(9))
    bench.runner.outdated_revs = set(bench.revs[1:8])
    with pytest.raises(UserError, match="was cancelled"):
        bench.search()
    place = bench.builder.root / ".dvc/tmp/finetui/bisect.json"
    value = json.loads(place.read_text())
    del value["tested"][bench.revs[0]]  # a check that is still to be made
    place.write_text(json.dumps(value))
    before = place.read_bytes()
    bench.runner.trouble = UserError("the disk is full")
    ends = (bench.revs[0], bench.revs[8])
    asked = {"same": (*ends, CONDITION), "other": (*ends, "test/accuracy >= 0.85")}
    command = asked.get(words[0], words)
    if words[1:] == ("start",):
        command = ("start", *command)
    with pytest.raises(UserError, match="disk is full"):
        bench.run(*command)
    assert place.read_bytes() == before


def test_what_was_tested_survives_a_repeated_search_whose_end_failed(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", [*GOOD_THEN_BAD[:8], "failed"])
    place = bench.builder.root / ".dvc/tmp/finetui/bisect.json"
    for _ in range(2):
        with pytest.raises(UserError, match="cannot be tested"):
            bench.search()
        assert set(json.loads(place.read_text())["tested"]) == {bench.revs[0], bench.revs[8]}
    with pytest.raises(UserError, match="another bisection is kept"):
        bench.run(bench.revs[0], bench.revs[7], CONDITION)
    assert bench.launched == [0, 8]
    assert bench.run("reset") == 0
    assert bench.run(bench.revs[0], bench.revs[7], CONDITION) == 0


def test_a_search_with_wrong_ends_does_not_replace_one_that_has_ended(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, range(9))
    assert bench.search() == 0
    place = bench.builder.root / ".dvc/tmp/finetui/bisect.json"
    before = place.read_bytes()
    with pytest.raises(UsageError, match="was given as good"):
        bench.run(bench.revs[6], bench.revs[8], CONDITION)
    assert place.read_bytes() == before


def test_nothing_runs_in_a_project_that_is_only_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, (0, 8))
    with pytest.raises(UsageError, match="bisect runs commits"):
        bench.search_read_only()
    assert bench.search_read_only("--plan") == 0
    assert not (bench.builder.root / ".dvc/tmp/finetui/bisect.json").exists()


def test_a_broken_file_is_told_and_can_be_reset(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, range(9))
    assert bench.search() == 0
    place = bench.builder.root / ".dvc/tmp/finetui/bisect.json"
    for text in ("{", "[]", '{"version": 99}', '{"version": 1, "going": null, "tested": {"a": 3}}'):
        place.write_text(text)
        with pytest.raises(UserError, match="cannot be read"):
            bench.run("status")
    assert bench.run("reset") == 0


def test_two_processes_do_not_work_on_one_bisection(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, range(9))
    with BisectionFile(bench.builder.root).held(), pytest.raises(UserError, match="another finetui"):
        bench.search()


def test_how_the_ends_lie_to_each_other_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p", GOOD_THEN_BAD, range(9))
    side = bench.builder.commit({"train.py": "side\n", "metrics.json": {"test/accuracy": 0.9}}, "side", "side")
    with pytest.raises(UsageError, match="are the same"):
        bench.run(bench.revs[0], bench.revs[0], CONDITION)
    with pytest.raises(UsageError, match="comes after the bad one"):
        bench.run(bench.revs[3], bench.revs[1], CONDITION)
    with pytest.raises(UsageError, match="no commit in common"):
        bench.run(side, bench.revs[1], CONDITION)
    with pytest.raises(UsageError, match="is the workspace"):
        bench.run(bench.revs[0], "workspace", CONDITION)
    with pytest.raises(UsageError, match="did you mean test/accuracy"):
        bench.run(bench.revs[0], bench.revs[8], "test/acuracy > 0.8")


def test_a_merge_that_broke_it_is_told_with_a_way_into_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path / "p", [0.9, 0.9], range(2))
    builder = bench.builder
    builder.repository.references.create("refs/heads/side", bench.revs[0])
    side = [builder.commit({f"{n}.txt": "x"}, f"side {n}", "side") for n in range(3)]
    merge = builder._write(
        [bench.revs[1], side[-1]], {"metrics.json": {"test/accuracy": 0.5}}, "Merge the side", "refs/heads/main"
    )
    assert bench.run(bench.revs[0], merge, CONDITION) == 0
    shown = capsys.readouterr().out
    assert "it is a merge, which brought in 3 commits" in shown
    assert f"{merge[:7]}^2" in shown
    with pytest.raises(UsageError, match=f"the merge {merge[:7]} brought it in"):
        bench.run(side[0], merge, CONDITION)
