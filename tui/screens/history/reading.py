"""What the History screen shows, read in one go by its worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from tui.core.columns import metric_order
from tui.core.experiments import Experiment
from tui.core.history.blaming import Blame, find_move, read_noise
from tui.core.history.metric_history import trace
from tui.core.history.walking import walk
from tui.core.keys import Key, all_keys
from tui.core.ports import Runner, Store

MAX_COMMITS = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A line of commits with one of its metrics."""

    keys: tuple[Key, ...]
    """Metrics that any of the commits has, those that matter most first."""
    blame: Blame | None
    """Values and the last move of the chosen one; None without any metric."""
    is_cut: bool
    """Whether there are older commits that were not read."""
    is_pending: bool
    """Whether some commits will be known better in a moment."""


def read(store: Store, runner: Runner, newest: Experiment, wanted: str | None) -> Reading:
    """Read the line that ends with a commit; `wanted` is the metric, by its text."""
    rows = list(islice(walk(store, newest), MAX_COMMITS + 1))
    is_cut, rows = len(rows) > MAX_COMMITS, rows[:MAX_COMMITS]
    keys = tuple(sorted(all_keys(rows, "metric"), key=lambda key: metric_order(key.text)))
    is_pending = any(row.is_pending for row in rows)
    if not keys:
        return Reading((), None, is_cut, is_pending)
    key = _chosen(keys, wanted)
    points = tuple(reversed(list(trace(rows, key))))
    noise = read_noise(store, key, points, store.experiments(runner.runs()))
    return Reading(keys, find_move(store, key, points, noise), is_cut, is_pending)


def _chosen(keys: Sequence[Key], wanted: str | None) -> Key:
    """The metric of that text, or of that name in some file, or the first one."""
    name = None if wanted is None else wanted.rpartition(":")[2]
    close = [key for key in keys if key.name == name]
    return next((key for key in keys if key.text == wanted), close[0] if close else keys[0])
