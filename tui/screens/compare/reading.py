"""What the Compare screen shows, read in one go by its worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.ports import Runner, Store
from tui.core.rows import row_key
from tui.core.series import Series

_NUM_BUCKETS = 2_000
"""Far more than a chart has columns, so that it can be looked at closely."""


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
    known = {row_key(one): one for one in store.experiments(runs)}
    now = tuple(known.get(row_key(one), one) for one in experiments)
    series, problems = _curves(store, now)
    return Reading(now, series, "; ".join(problems))


def _curves(store: Store, experiments: Sequence[Experiment]) -> tuple[tuple[tuple[Series, ...], ...], list[str]]:
    """Every curve of each experiment, thinned to what a chart can show; and what could not be read."""
    names: list[list[tuple[str, str]]] = []
    problems = []
    for one in experiments:
        try:
            names.append([(found.stage, found.name) for found in store.summaries([one])[0]])
        except UserError as error:
            names.append([])
            problems.append(f"{one.label}: {error}")
    found = {name: store.curves(experiments, *name, _NUM_BUCKETS) for name in dict.fromkeys(chain.from_iterable(names))}
    return (
        tuple(
            tuple(curve for name in own if (curve := found[name][index]) is not None) for index, own in enumerate(names)
        ),
        problems,
    )
