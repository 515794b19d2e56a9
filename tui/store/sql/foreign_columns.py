"""Columns from files that others may have written: made to fit a table without changing a value on the way."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tui.core.errors import UserError
from tui.store.sql.arrays import Array

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_NUMBERS = {*_WHOLE, "UHUGEINT", "FLOAT", "DOUBLE"}
_LARGEST = 2.0**63


def kept_as(kind: str) -> str:
    """The type of a new column: one for all numbers, as the next file may hold fractions where this one has none."""
    return "DOUBLE" if kind in _NUMBERS else kind


def renamed(columns: Mapping[str, Array], known: Mapping[str, str]) -> dict[str, Array]:
    """The columns by the table's names, of which SQL tells none apart by case alone."""
    lower = {name.lower(): name for name in known}
    return {lower.get(name.lower(), name): values for name, values in columns.items()}


def is_empty(values: Array) -> bool:
    """Whether every value is null."""
    return not len(_present(values))


def check_declared(name: str, values: Array, kind: str, wanted: str) -> None:
    """UserError for values that a column of a declared type would change: 0.3 is neither true nor 2 tokens."""
    if kind == wanted or wanted == "VARCHAR" or is_empty(values):
        return
    if kind != "BOOLEAN" and kind not in _NUMBERS:
        raise _mismatch(name, wanted, kind)
    odd = _odd(_present(values), wanted)
    if len(odd):
        raise _mismatch(name, wanted, str(odd[0]))


def common(name: str, kind: str, held: str) -> str:
    """The type that holds what is there and what comes; UserError where none does."""
    if {kept_as(kind), held} == {"BOOLEAN", "DOUBLE"}:
        return "DOUBLE"
    raise _mismatch(name, held, kind, "of other experiments")


def _odd(present: Array, wanted: str) -> Array:
    """Those of the values that the type cannot hold."""
    if wanted == "BOOLEAN":
        return present[(present != 0) & (present != 1)]
    if wanted == "BIGINT" and present.dtype.kind == "f":
        return present[(present != np.floor(present)) | (np.abs(present) >= _LARGEST)]
    return present[:0]


def _present(values: Array) -> Array:
    present: Any = np.ma.compressed(values) if np.ma.isMaskedArray(values) else values
    if present.dtype.kind == "f":
        return present[~np.isnan(present)]
    if present.dtype.kind == "O":
        return present[np.array([one is not None for one in present], dtype=bool)]
    return present


def _mismatch(name: str, wanted: str, found: str, whose: str = "of this name") -> UserError:
    return UserError(f"column {name} does not fit", f"it holds {found}, and the column {whose} is {wanted}")
