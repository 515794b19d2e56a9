"""Per-example results that others wrote: the same answer whatever was read before, or together with it."""

from itertools import permutations
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tui.core.experiments import Experiment
from tui.core.queries import QueryError
from tui.core.series import Event, Sample, Series, SeriesSummary
from tui.store.sql.query import QueryEngine


class Files:
    """A store that has nothing but per-example results."""

    def __init__(self, folder: Path, **contents: dict[str, Any]) -> None:
        self.rows = [Experiment(name * 40, "commit", name) for name in contents]
        self._places = {name: folder / f"{name}.parquet" for name in contents}
        for name, columns in contents.items():
            pl.DataFrame(columns).write_parquet(self._places[name])

    def series(self, experiment: Experiment) -> list[Series]:
        return []

    def summaries(self, experiments: Any) -> list[tuple[SeriesSummary, ...]]:
        return []

    def events(self, experiment: Experiment) -> list[Event]:
        return []

    def samples(self, experiment: Experiment) -> list[Sample]:
        return []

    def predictions_file(self, experiment: Experiment) -> Path | None:
        return self._places[experiment.label]


def asked(source: Files, order: tuple[int, ...], at_once: bool, sql: str) -> tuple[Any, list[str]]:
    """Rows and notes when the experiments come in an order, together or one after the other."""
    engine, rows = QueryEngine(source), [source.rows[one] for one in order]
    for count in [] if at_once else range(1, len(rows)):
        engine.run(sql, rows[:count])
    found = engine.run(sql, rows)
    return found.rows, sorted(found.notes)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_numbers_of_one_column_keep_their_fractions(tmp_path: Path, order: tuple[int, ...], at_once: bool) -> None:
    source = Files(tmp_path, a={"score": [1, 0]}, b={"score": [0.4, None]}, c={"score": [True, None]})
    rows, notes = asked(source, order, at_once, "SELECT name, score FROM predictions ORDER BY name, score NULLS LAST")
    assert rows == (("a", 0.0), ("a", 1.0), ("b", 0.4), ("b", None), ("c", 1.0), ("c", None))
    assert notes == []


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_declared_column_is_never_rounded(tmp_path: Path, order: tuple[int, ...], at_once: bool) -> None:
    source = Files(
        tmp_path,
        a={"exact_match": [True, None], "completion_tokens": [3, None]},
        b={"exact_match": [0.3, 1.0], "completion_tokens": [3, 4]},
        c={"exact_match": [1, 0], "completion_tokens": [3.0, 4.0]},
        d={"exact_match": [True, False], "completion_tokens": ["3.5", "4"]},
    )
    rows, notes = asked(
        source, order, at_once, "SELECT name, exact_match, completion_tokens FROM predictions ORDER BY ALL"
    )
    assert rows == (("a", True, 3), ("a", None, None), ("c", False, 4), ("c", True, 3))
    assert [note.partition(":")[0] for note in notes] == ["b", "d"]
    assert "it holds 0.3, and the column of this name is BOOLEAN" in notes[0]
    assert "it holds VARCHAR, and the column of this name is BIGINT" in notes[1]


def test_texts_and_numbers_of_one_name_are_not_mixed(tmp_path: Path) -> None:
    source = Files(tmp_path, a={"extra": ["x"]}, b={"extra": [0.5]}, c={"extra": [None]})
    engine, sql = QueryEngine(source), "SELECT name, extra FROM predictions ORDER BY name"
    found = engine.run(sql, source.rows)
    assert found.rows == (("a", "x"), ("c", None))
    said = "b: b.parquet cannot be read: it holds DOUBLE, and the column of other experiments is VARCHAR"
    assert found.notes == (said,)
    found = engine.run(sql, source.rows[1:])  # the texts are gone
    assert (found.rows, found.notes) == ((("b", 0.5), ("c", None)), ())


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("at_once", [True, False])
def test_names_that_differ_in_case_are_one_column(tmp_path: Path, order: tuple[int, ...], at_once: bool) -> None:
    source = Files(tmp_path, a={"Exact_Match": [True], "Extra": ["x"]}, b={"extra": ["y"], "EXTRA": ["z"]})
    found = asked(source, order, at_once, "SELECT name, exact_match, extra FROM predictions ORDER BY name")
    assert found == ((("a", True, "x"), ("b", None, "y")), [])


def test_what_is_wrong_with_a_file_is_told_in_words(tmp_path: Path) -> None:
    source = Files(tmp_path, a={"id": ["x"]})
    (tmp_path / "a.parquet").write_bytes(b"PAR1 torn")
    (note,) = QueryEngine(source).run("FROM predictions", source.rows).notes
    assert note.startswith("a: a.parquet cannot be read: ")
    assert "{" not in note


def test_a_function_that_never_ends_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"summary\(\) is not for queries"):
        QueryEngine(Files(tmp_path)).run("SELECT count(*) FROM summary(metrics)", [])
