"""Small loss curves of the rows in view: asked for by cells, read by a worker, kept."""

from collections.abc import Mapping

from pipeline.contract.metrics import last_part
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.ports import Store
from tui.widgets.raster import sparkline

SparkName = tuple[str, str, str]
"""Key of the row, revision, and how far it is."""
WIDTH = 8
_NUM_BUCKETS = 25 * WIDTH
_AT_ONCE = 24
_MAX_WAITING = 120


class Sparks:
    """What is known of the curves, and which ones are wanted."""

    def __init__(self) -> None:
        self._known: dict[SparkName, str] = {}
        self._wanted: dict[SparkName, Experiment] = {}
        self._last: dict[str, str] = {}

    @property
    def is_any(self) -> bool:
        """Whether any row has a curve, as far as they were looked at."""
        return any(self._last.values())

    def of(self, key: str, experiment: Experiment) -> str:
        """The curve of a row, or the one of before; what is not known is wanted from now on."""
        name = (
            key,
            experiment.rev,
            f"{experiment.status} {experiment.stage} {experiment.fraction} {experiment.is_pending}",
        )
        if name not in self._known:
            self._wanted[name] = experiment
        return self._known.get(name, self._last.get(key, ""))

    def take_wanted(self) -> dict[SparkName, Experiment]:
        """Some of what is wanted; what is far down the list is asked for again when it is seen."""
        waiting = list(self._wanted.items())
        self._wanted = dict(waiting[_AT_ONCE:_MAX_WAITING])
        return dict(waiting[:_AT_ONCE])

    def learn(self, curves: Mapping[SparkName, str]) -> bool:
        """Keep curves; whether any of them is new."""
        self._known.update(curves)
        before = dict(self._last)
        self._last.update({key: curve for (key, _, _), curve in curves.items()})
        return before != self._last


def read_sparks(store: Store, wanted: Mapping[SparkName, Experiment]) -> dict[SparkName, str]:
    """Curves of experiments; of one that cannot be read an empty one."""
    curves = {}
    for name, experiment in wanted.items():
        try:
            curves[name] = _spark(store, experiment)
        except UserError:
            curves[name] = ""
    return curves


def _spark(store: Store, experiment: Experiment) -> str:
    """The training loss, or else any loss, in a few characters."""
    losses = [one for one in store.summaries([experiment])[0] if last_part(one.name) == "loss"]
    of_train = [one for one in losses if one.stage == "train"]
    chosen = next((one for one in of_train if one.name == "train/loss"), next(iter(of_train or losses), None))
    curve = store.curves([experiment], chosen.stage, chosen.name, _NUM_BUCKETS)[0] if chosen is not None else None
    return sparkline(curve.values, WIDTH) if curve is not None else ""
