"""What the parameters of saved queries can be, found by queries."""

from collections.abc import Sequence

from tui.core.columns import metric_order
from tui.core.ports import Runner, Store
from tui.core.queries import SavedQuery

_CHOICES = {
    "metric": "SELECT DISTINCT key FROM metrics WHERE value IS NOT NULL ORDER BY key",
    "param": "SELECT DISTINCT key FROM params ORDER BY key",
    "curve": "SELECT DISTINCT metric FROM series_summary ORDER BY metric",
    "baseline": "SELECT name FROM experiments",
    "candidate": "SELECT name FROM experiments",
}


def choices(store: Store, runner: Runner, query: SavedQuery) -> dict[str, Sequence[str]]:
    """Values for every parameter, metrics that matter most first; none for one that nobody can list."""
    runs = runner.runs()
    found: dict[str, Sequence[str]] = {}
    for name in query.parameters:
        sql = _CHOICES.get(name)
        values = [str(row[0]) for row in store.query(sql, runs).rows] if sql is not None else []
        found[name] = sorted(values, key=metric_order) if name == "metric" else values
    return found
