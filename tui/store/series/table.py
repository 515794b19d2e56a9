"""The SQL table `series`: a view that joins points to the series that they belong to, as texts per point cost most."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tui.core.experiments import Experiment
from tui.core.series import Series
from tui.store.sql.arrays import objects

SERIES = "series"
_POINTS, _OWNERS = "parts.points", "parts.owners"
_CREATE = f"""
CREATE SCHEMA parts;
CREATE TABLE {_OWNERS} (id INTEGER, rev VARCHAR, name VARCHAR, stage VARCHAR, metric VARCHAR);
CREATE TABLE {_POINTS} (id INTEGER, step DOUBLE, value DOUBLE);
CREATE VIEW series AS SELECT rev, name, stage, metric, step, value FROM {_POINTS} JOIN {_OWNERS} USING (id);
"""  # noqa: S608 - names of ours


class SeriesTable:
    """Takes millions of points in a second."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._next = 0
        connection.execute(_CREATE)

    def add(self, found: Sequence[tuple[Experiment, Sequence[Series]]]) -> None:
        """Append the series of experiments."""
        series = [(row, one) for row, some in found for one in some]
        if not series:
            return
        ids = np.arange(self._next, self._next + len(series), dtype=np.int32)
        self._next += len(series)
        owners = {
            "id": ids,
            "rev": objects(row.rev for row, _ in series),
            "name": objects(row.label for row, _ in series),
            "stage": objects(one.stage for _, one in series),
            "metric": objects(one.name for _, one in series),
        }
        points = {
            "id": np.repeat(ids, [len(one.steps) for _, one in series]),
            "step": np.concatenate([np.frombuffer(one.steps) for _, one in series]),
            "value": np.concatenate([np.frombuffer(one.values) for _, one in series]),
        }
        self._with_arrays(owners, f"INSERT INTO {_OWNERS} FROM arrays")
        self._with_arrays(points, f"INSERT INTO {_POINTS} FROM arrays")

    def remove(self, keys: Sequence[tuple[str, str]]) -> None:
        """Remove the rows of experiments, given by rev and name."""
        if not keys:
            return
        gone = {"rev": objects(rev for rev, _ in keys), "name": objects(name for _, name in keys)}
        ids = f"SELECT id FROM {_OWNERS} JOIN arrays USING (rev, name)"  # noqa: S608 - names of ours
        self._with_arrays(gone, f"DELETE FROM {_POINTS} WHERE id IN ({ids})")  # noqa: S608
        self._with_arrays(gone, f"DELETE FROM {_OWNERS} WHERE id IN ({ids})")  # noqa: S608

    def _with_arrays(self, columns: dict[str, Any], statement: str) -> None:
        self._connection.register("arrays", columns)
        try:
            self._connection.execute(statement)
        finally:
            self._connection.unregister("arrays")
