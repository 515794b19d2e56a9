"""Per-example results of many experiments as columns, read from Parquet."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from tui.store.sql.arrays import Array

_SQL = """
    SELECT wanted.rev AS finetui_rev, wanted.name AS finetui_name, one.*
    FROM (
        SELECT unnest($revs::VARCHAR[]) AS rev, unnest($names::VARCHAR[]) AS name,
            unnest($places::VARCHAR[]) AS finetui_place
    ) AS wanted
    JOIN read_parquet($patterns, union_by_name = true, filename = 'finetui_place') AS one USING (finetui_place)
"""
_COLUMNS = """
    SELECT file_name, list([name, type, logical_type, converted_type, num_children::VARCHAR])
    FROM parquet_schema($patterns) GROUP BY file_name
"""
_OURS = {"rev", "name", "finetui_rev", "finetui_name", "finetui_place"}
_WILD = re.compile(r"([*?\[])")


def alike(places: Sequence[Path]) -> list[list[int]]:
    """Places of the files that have the same columns of the same types; duckdb.Error for a broken file.

    Only those are read together: of several types DuckDB makes one, and another one with other files.
    """
    with _connected() as connection:
        rows = connection.execute(_COLUMNS, {"patterns": _patterns(map(str, places))}).fetchall()
    columns = {place: repr(found) for place, found in rows}
    groups: dict[str, list[int]] = {}
    for index, place in enumerate(places):
        groups.setdefault(columns[str(place)], []).append(index)
    return list(groups.values())


def read_files(files: Sequence[tuple[str, str, Path]]) -> dict[str, Array]:
    """Columns of the files of experiments (rev, name, file) one below the other; duckdb.Error for a broken file."""
    if not files:
        return {}
    revs, names, places = zip(*((rev, name, str(place)) for rev, name, place in files), strict=True)
    given = {"revs": list(revs), "names": list(names), "places": list(places), "patterns": _patterns(places)}
    with _connected() as connection:
        found = connection.execute(_SQL, given).fetchnumpy()
    columns = {"rev": found["finetui_rev"], "name": found["finetui_name"]}
    return columns | {name: values for name, values in found.items() if name.lower() not in _OURS}


def _connected() -> duckdb.DuckDBPyConnection:
    """One that may read files."""
    return duckdb.connect(":memory:", config={"threads": 1})


def _patterns(places: Iterable[str]) -> list[str]:
    return [_WILD.sub(r"[\1]", place) for place in dict.fromkeys(places)]
