"""What is stored about commits that answers the question of a bisection, and whether it really belongs to them."""

from typing import Any

from pipeline.contract.paths import PARAMS_FILE
from tui.cli.bisecting.record import BisectionRecord, Tested
from tui.cli.context import Context
from tui.core.experiments import Experiment
from tui.core.history.bisect import Mark
from tui.core.history.condition import Condition
from tui.core.history.deciding import decides, files_of, param_values
from tui.core.keys import MISSING, Key, flat, same


class StoredResults:
    """Rows with a value for each commit: the commit itself, then experiments that ran just that."""

    def __init__(self, context: Context, record: BisectionRecord, condition: Condition, key: Key) -> None:
        self._context, self._record = context, record
        self._condition, self._key = condition, key
        self._experiments: dict[str, list[Experiment]] = {}
        self._refuted = set(record.outdated)
        self.refresh()

    def refresh(self) -> None:
        """Look again at which experiments there are."""
        self._experiments = {}
        for row in self._context.experiments():
            if row.kind == "experiment" and row.status == "done" and row.baseline:
                self._experiments.setdefault(row.baseline, []).append(row)

    def hint(self, commit: Experiment) -> Mark | None:
        """What the first row with a value says; whether that row counts is not checked yet."""
        rows = self._rows(commit)
        return self._tested(commit, rows[0]).mark if rows else None

    def confirmed(self, commit: Experiment) -> Tested | None:
        """What the first row says that counts; None if none does."""
        for row in self._rows(commit):
            if self._counts(commit, row):
                return self._tested(commit, row)
            self.refute(row.rev)
        return None

    def refute(self, rev: str) -> None:
        """The metrics of a row do not belong to it."""
        if rev not in self._refuted:
            self._refuted.add(rev)
            self._record.outdated.append(rev)

    def signature(self, commit: Experiment) -> object:
        """What is the same for commits that only carry on the results of an earlier one; None without a hint."""
        rows = self._rows(commit)
        return (dict(commit.deps), self.value(commit)) if rows and rows[0] is commit else None

    def judge(self, row: Experiment | None) -> Mark | None:
        """What a row says by itself."""
        held = None if row is None else self._condition.holds(self._key.value(row))
        return None if held is None else "good" if held else "bad"

    def value(self, row: Experiment | None) -> Any:
        """Its value as a verdict keeps it."""
        value = MISSING if row is None else self._key.value(row)
        return None if value is MISSING else value

    def _rows(self, commit: Experiment) -> list[Experiment]:
        rows = [commit, *self._experiments.get(commit.rev, ())]
        return [
            row for row in rows if row.rev not in self._refuted and self.judge(row) and self._has_params(commit, row)
        ]

    def _tested(self, commit: Experiment, row: Experiment) -> Tested:
        mark = self.judge(row)
        assert mark is not None  # noqa: S101 - rows without a verdict are left out
        return Tested(mark, "stored" if row is commit else "experiment", self.value(row), row.rev)

    def _has_params(self, commit: Experiment, row: Experiment) -> bool:
        """Whether a row ran with the params of the commit, and with the overrides."""
        if row is commit and not self._record.overrides:
            return True
        wanted, own = param_values(commit), param_values(row)
        asked = {f"{PARAMS_FILE}:{key}": value for key, value in flat(dict(self._record.overrides)).items()}
        wanted.update({key: value for key, value in asked.items() if key in wanted})
        return wanted.keys() == own.keys() and all(same(value, own[key]) for key, value in wanted.items())

    def _counts(self, commit: Experiment, row: Experiment) -> bool:
        if row is not commit:
            changes = self._context.store.changed_files(commit, row)
            return not any(decides(change.path, commit, row) for change in changes)
        if self._record.trusts:
            return True
        return not self._context.runner.outdated(commit.rev, files_of(self._key, commit))
