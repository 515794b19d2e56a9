"""What the Compare screen shows, read in one go by its worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.ports import Runner, Store
from tui.core.rows import row_key
from tui.core.series import Series, why_no_curves

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
    found: dict[int, list[Series]] = {}
    names: dict[int, list[tuple[str, str]]] = {}
    problems = []
    for index, one in enumerate(experiments):
        try:
            if one.kind == "workspace" or one.status == "running":
                found[index] = store.series(one)  # looked at once, and not once for every metric
            else:
                names[index] = [(summary.stage, summary.name) for summary in store.summaries([one])[0]]
            unread = why_no_curves(store.unread([one])[0])
        except UserError as error:
            unread = str(error)
        if unread:
            problems.append(f"{one.label}: {unread}")
    still = [experiments[index] for index in names]
    for name in dict.fromkeys(chain.from_iterable(names.values())):
        for index, curve in zip(names, store.curves(still, *name, _NUM_BUCKETS), strict=True):
            if curve is not None:
                found.setdefault(index, []).append(curve)
    return tuple(tuple(found.get(index, ())) for index in range(len(experiments))), problems
