"""What the Compare screen shows, read in one go by its worker."""

from collections.abc import Sequence
from dataclasses import dataclass

from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.ports import Runner, Store
from tui.core.rows import row_key
from tui.core.series import Series


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The experiments as they are now, with their curves."""

    experiments: tuple[Experiment, ...]
    series: tuple[tuple[Series, ...], ...]
    problem: str = ""
    """Which curves could not be read."""

    @property
    def is_live(self) -> bool:
        """Whether any of them will change."""
        return any(one.status in {"running", "queued"} for one in self.experiments)


def read(store: Store, runner: Runner, experiments: Sequence[Experiment]) -> Reading:
    """Read the experiments again."""
    runs = runner.runs()
    directories = {run.id: run.directory for run in runs if run.is_active}
    known = {row_key(one): one for one in store.experiments(runs)}
    now = tuple(known.get(row_key(one), one) for one in experiments)
    series: list[tuple[Series, ...]] = []
    problems = []
    for one in now:
        try:
            series.append(tuple(store.series(one, directories.get(one.run_id or ""))))
        except UserError as error:
            series.append(())
            problems.append(f"{one.label}: {error}")
    return Reading(now, tuple(series), "; ".join(problems))
