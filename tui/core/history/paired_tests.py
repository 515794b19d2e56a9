"""Whether two commits that were scored on the same examples differ by more than chance."""

import math

from pipeline.contract.metrics import last_part
from tui.core.errors import UserError
from tui.core.examples import PairedScore
from tui.core.history.metric_history import Point
from tui.core.keys import Key
from tui.core.ports import Store
from tui.core.values import as_float

SAME = 1e-3
"""By how much a metric may differ from the mean over the examples that it is."""


class PairedTests:
    """Tests of one metric, each made once."""

    def __init__(self, store: Store, key: Key) -> None:
        self._store, self._score = store, last_part(key.text)
        self._known: dict[tuple[str, str], PairedScore | None] = {}

    def between(self, old: Point, new: Point) -> PairedScore | None:
        """The test of two commits; None unless both values are means over the same examples."""
        revs = old.experiment.rev, new.experiment.rev
        if revs not in self._known:
            self._known[revs] = self._test(old, new)
        return self._known[revs]

    def _test(self, old: Point, new: Point) -> PairedScore | None:
        try:
            found = self._store.paired(old.experiment, new.experiment, self._score)
        except UserError:
            return None  # a broken file tells nothing
        is_whole = found is not None and _is_mean(found.baseline, old) and _is_mean(found.candidate, new)
        return found if is_whole and found is not None and found.p_value is not None else None


def _is_mean(mean: float, point: Point) -> bool:
    value = as_float(point.value)
    return value is not None and math.isclose(mean, value, rel_tol=SAME, abs_tol=SAME)
