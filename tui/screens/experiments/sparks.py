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
        self._known: dict[str, tuple[SparkName, str]] = {}
        self._wanted: dict[SparkName, Experiment] = {}

    @property
    def is_any(self) -> bool:
        """Whether any row has a curve, as far as they were looked at."""
        return any(curve for _, curve in self._known.values())

    def of(self, key: str, experiment: Experiment) -> str:
        """The curve of a row, or the one of before; what is not known is wanted from now on."""
        name = (
            key,
            experiment.rev,
            f"{experiment.status} {experiment.stage} {experiment.fraction} {experiment.is_pending}",
        )
        known, curve = self._known.get(key, (None, ""))
        if known != name:
            self._wanted[name] = experiment
        return curve

    def take_wanted(self) -> dict[SparkName, Experiment]:
        """Some of what is wanted; what is far down the list is asked for again when it is seen."""
        waiting = list(self._wanted.items())
        self._wanted = dict(waiting[_AT_ONCE:_MAX_WAITING])
        return dict(waiting[:_AT_ONCE])

    def learn(self, curves: Mapping[SparkName, str]) -> bool:
        """Keep curves; whether any of them is new."""
        found = {name[0]: (name, curve) for name, curve in curves.items()}
        is_new = any(self._known.get(key, (None, ""))[1] != curve for key, (_, curve) in found.items())
        self._known.update(found)
        return is_new


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
