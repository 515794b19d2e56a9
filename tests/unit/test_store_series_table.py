"""The SQL table of points."""

import math
from array import array

import duckdb
import numpy as np
import pytest

from tui.core.experiments import Experiment
from tui.core.series import Series
from tui.store.series.table import SeriesTable
from tui.store.sql.schema import SCHEMA

A, B = Experiment("a" * 40, "experiment", "one"), Experiment("b" * 40, "experiment", 'it\'s "two"')
LOSS = Series("train", "train/loss", array("d", [1, 2, 3]), array("d", [0.5, math.nan, 1e300]))
OTHER = Series("s", "x; DROP TABLE series", array("d", [0.5]), array("d", [-7]))


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def rows(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT * FROM series ORDER BY rev, stage DESC, step").fetchall()


def test_its_columns_are_those_that_are_documented(connection: duckdb.DuckDBPyConnection) -> None:
    SeriesTable(connection)
    found = [(name, kind) for name, kind, *_ in connection.execute("DESCRIBE series").fetchall()]
    assert found == [(column.name, column.type) for column in SCHEMA["series"]]
    assert connection.execute("SHOW TABLES").fetchall() == [("series",)]


def test_points_of_experiments_come_and_go(connection: duckdb.DuckDBPyConnection) -> None:
    table = SeriesTable(connection)
    table.add([])
    table.add([(A, [LOSS, OTHER]), (B, [])])
    table.add([(B, [LOSS])])
    of_a = [(A.rev, "one", "train", "train/loss", *point) for point in ((1, 0.5), (2, None), (3, 1e300))]
    of_a.append((A.rev, "one", "s", OTHER.name, 0.5, -7))
    of_b = [(B.rev, B.name, *row[2:]) for row in of_a[:3]]
    assert rows(connection) == [*of_a, *of_b]
    table.remove([])
    table.remove([(A.rev, B.name or ""), (B.rev, B.name or "")])
    assert rows(connection) == of_a
    table.remove([(A.rev, "one")])
    assert rows(connection) == []
    table.add([(B, [LOSS])])
    assert rows(connection) == of_b


def test_millions_of_points_fit(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET memory_limit = '300MB'")
    steps = array("d")
    steps.frombytes(np.arange(20_000.0).tobytes())
    SeriesTable(connection).add([(A, [Series("train", f"m{number}", steps, steps) for number in range(100)])])
    (found,) = connection.execute("SELECT count(*), max(step), sum(value) FROM series WHERE metric = 'm7'").fetchall()
    assert found == (20_000, 19_999, 199_990_000)
    assert connection.execute("SELECT count(*) FROM series").fetchall() == [(2_000_000,)]
