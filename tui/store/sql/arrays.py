"""Columns as numpy arrays, the only form that DuckDB takes without another package."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

Array = Any
"""A numpy array of one dimension."""


def objects(values: Iterable[Any]) -> Array:
    """Texts, dates and the like; None is null."""
    items = list(values)
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def numbers(values: Iterable[float | None]) -> Array:
    """Doubles; None and what is not finite are null, for which NaN stands."""
    found = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    found[~np.isfinite(found)] = np.nan
    return found


def transposed(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, Array]:
    """Columns of rows; none without rows."""
    columns = list(zip(*rows, strict=True))
    return {name: objects(values) for name, values in zip(names, columns, strict=True)} if columns else {}


def utc(moment: datetime | None) -> datetime | None:
    """A time as SQL has it: UTC, without a zone."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
