"""Tests commits until the one is found that broke a condition: what is stored decides first, runs come last."""

from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime

from tui.cli.bisecting.record import BisectionFile, BisectionRecord, Going, Tested
from tui.cli.bisecting.stored_results import StoredResults
from tui.cli.context import Context
from tui.cli.running import wait
from tui.core.errors import UsageError, UserError
from tui.core.experiments import Experiment
from tui.core.history.bisect import Mark, Search, search
from tui.core.history.lineage import Line
from tui.core.runs import Run, RunRequest

_AFTER_CANCEL = "finetui bisect run tries it again, finetui bisect skip leaves it out"
_AFTER_FAILED_END = "finetui bisect reset forgets this bisection; then give another commit"


class Bisection:
    """A line of commits, from the good one to the bad one, of which more and more are tested."""

    def __init__(
        self, context: Context, file: BisectionFile | None, record: BisectionRecord, line: Line, stored: StoredResults
    ) -> None:
        """Without a file nothing of what is found out is kept."""
        self.context, self._file, self.record = context, file, record
        self.line, self.merges, self._stored = line.commits, line.merges, stored

    def keep_in(self, file: BisectionFile) -> None:
        """Keep what is known, and from now on what is found out."""
        self._file = file
        self._keep()

    def marks(self) -> list[Mark | None]:
        """What is known of each commit, hints that nobody has checked included."""
        tested = self.record.tested
        return [tested[one.rev].mark if one.rev in tested else self._stored.hint(one) for one in self.line]

    def settle(self) -> Search | None:
        """Where the search stands by what is stored, checked as far as it matters; None while the good or the bad
        commit must be run itself."""
        ends = [(self.line[0], "good"), (self.line[-1], "bad")]
        if not all([self._check_end(commit, mark) for commit, mark in ends]):
            return None
        while True:
            state = search(self.marks())
            unsure = [place for place in (state.good, state.bad) if not self._is_tested(self.line[place])]
            if not unsure:
                return state
            self._check(unsure[0])

    def run(self, tell: Callable[[Experiment, Tested], None], quiet: bool) -> Search:
        """Test until the commit is found, or until none is left that can be tested."""
        for place in (0, -1):
            if not self._is_tested(self.line[place]) and not self._confirm(self.line[place]):
                self._test(self.line[place], tell, quiet)
        while True:
            state = self.settle()
            assert state is not None  # noqa: S101 - both ends have just been tested
            if state.first_bad is not None or state.next is None:
                return state
            self._test(self.line[state.next], tell, quiet)

    def skip(self, commit: Experiment, reason: str) -> None:
        """Leave a commit out."""
        self._note(commit, Tested("skip", "user", reason=reason))

    def untested_ends(self) -> list[Experiment]:
        """The good and the bad commit, if they must be run."""
        return [one for one in (self.line[0], self.line[-1]) if not (self._is_tested(one) or self._confirm(one))]

    def _is_tested(self, commit: Experiment) -> bool:
        return commit.rev in self.record.tested

    def _check_end(self, commit: Experiment, wanted: str) -> bool:
        """Whether an end is known; UsageError if it is the opposite of what it was said to be."""
        if not (self._is_tested(commit) or self._confirm(commit)):
            return False
        found = self.record.tested[commit.rev]
        if found.mark == "skip":
            title = f"{commit.short_rev}, which was given as {wanted}, cannot be tested"
            raise UserError(title, found.reason, _AFTER_FAILED_END)
        if found.mark != wanted:
            has = f"its value is {found.value:g}" if found.value is not None else "it is not"
            hint = "choose another commit, or look along the history: finetui log"
            raise UsageError(f"{commit.short_rev} was given as {wanted}, but {has}", self.record.condition, hint)
        return True

    def _confirm(self, commit: Experiment) -> bool:
        """Take over what is stored of a commit, if it counts."""
        found = self._stored.confirmed(commit)
        if found is not None:
            self._note(commit, found)
        return found is not None

    def _check(self, place: int) -> None:
        """Confirm or refute what a commit stores.

        Results that commits carry on from an earlier one stop to be theirs with the first change of code, and stay so:
        where they stopped is found by halving. Code that was changed back is run again, which costs no more than time.
        """
        signature = self._stored.signature(self.line[place])
        if self._confirm(self.line[place]) or signature is None:
            return
        first = last = place
        while first > 0 and self._carries(first - 1, signature):
            first -= 1
        while last + 1 < len(self.line) and self._carries(last + 1, signature):
            last += 1
        stale = first + bisect_left(range(first, place), True, key=lambda one: not self._confirm(self.line[one]))
        for one in range(stale, last + 1):
            self._stored.refute(self.line[one].rev)

    def _carries(self, place: int, signature: object) -> bool:
        return not self._is_tested(self.line[place]) and self._stored.signature(self.line[place]) == signature

    def _note(self, commit: Experiment, tested: Tested) -> None:
        self.record.tested[commit.rev] = tested
        if self.record.going is not None and self.record.going.commit == commit.rev:
            self.record.going = None
        self._keep()

    def _keep(self) -> None:
        if self._file is not None:
            self._file.write(self.record)

    def _test(self, commit: Experiment, tell: Callable[[Experiment, Tested], None], quiet: bool) -> None:
        if not self._confirm(commit):
            self._note(commit, self._run(commit, quiet))
        tell(commit, self.record.tested[commit.rev])

    def _run(self, commit: Experiment, quiet: bool) -> Tested:
        """The verdict of a run: of the one that goes on since before we were killed, or of a new one."""
        run = self._find_going(commit)
        if run is None:
            started = self._launch(commit)
            if isinstance(started, Tested):
                return started
            run = started
        return self._judge(commit, wait(self.context, run, quiet))

    def _find_going(self, commit: Experiment) -> Run | None:
        going = self.record.going
        if going is None or going.commit != commit.rev:
            return None
        for run in self.context.runner.runs():
            is_ours = run.id == going.run
            if going.run is None:  # killed in the very moment of the launch
                since = datetime.fromisoformat(going.since)
                same = run.baseline == commit.rev and dict(run.overrides) == self.record.overrides
                is_ours = same and run.started_at >= since
            if is_ours and run.status not in {"lost", "cancelled"}:
                return run
        return None

    def _launch(self, commit: Experiment) -> Run | Tested:
        request = self._request(commit)
        problems = self.context.runner.plan(request).problems
        if problems:
            return Tested("skip", "run", reason=problems[0])
        self.record.going = Going(commit.rev, datetime.now(UTC).replace(microsecond=0).isoformat())
        self._keep()
        run = self.context.runner.launch(request)
        self.record.going = Going(commit.rev, self.record.going.since, run.id)
        self._keep()
        return run

    def _request(self, commit: Experiment) -> RunRequest:
        taken = {row.name for row in self.context.experiments() if row.baseline == commit.rev}
        name = f"bisect-{commit.rev[:7]}"
        overrides, targets = self.record.overrides, tuple(self.record.targets)
        return RunRequest(overrides, None if name in taken else name, targets, rev=commit.rev)

    def _judge(self, commit: Experiment, run: Run) -> Tested:
        if run.status in {"cancelled", "lost"}:
            raise UserError(f"the run of {commit.short_rev} was {run.status}", run.name, _AFTER_CANCEL)
        if run.status != "done":
            return Tested("skip", "run", source=run.rev, reason=f"its run failed: {run.error or 'the log says why'}")
        self._stored.refresh()
        row = next((row for row in self.context.experiments() if row.rev == run.rev), None)
        mark = self._stored.judge(row)
        if mark is None:
            return Tested("skip", "run", source=run.rev, reason="it ran, but has no value of the metric")
        return Tested(mark, "run", self._stored.value(row), run.rev)
