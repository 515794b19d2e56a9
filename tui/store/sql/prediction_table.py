"""Per-example results of many experiments as columns, read from Parquet."""

import re
from collections.abc import Sequence
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
_OURS = {"rev", "name", "finetui_rev", "finetui_name", "finetui_place"}
_WILD = re.compile(r"([*?\[])")


def read_files(files: Sequence[tuple[str, str, Path]]) -> dict[str, Array]:
    """Columns of the files of experiments (rev, name, file) one below the other; duckdb.Error for a broken file."""
    if not files:
        return {}
    revs, names, places = zip(*((rev, name, str(place)) for rev, name, place in files), strict=True)
    patterns = [_WILD.sub(r"[\1]", place) for place in dict.fromkeys(places)]
    given = {"revs": list(revs), "names": list(names), "places": list(places), "patterns": patterns}
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:  # one that may read files
        found = connection.execute(_SQL, given).fetchnumpy()
    columns = {"rev": found["finetui_rev"], "name": found["finetui_name"]}
    return columns | {name: values for name, values in found.items() if name.lower() not in _OURS}
