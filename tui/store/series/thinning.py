"""Fewer points of a series that look the same: what is lowest, highest or missing in every bucket stays."""

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui.core.series import Series

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def thin(series: Series, num_buckets: int) -> Series:
    """The lowest and the highest point of each bucket of steps, the first and the last point of all, in their order.

    A bucket with values that were not finite keeps the first and the last of these too, so that a gap stays a gap where
    it was: at most 4 points a bucket. A series that has no more than 2 points a bucket stays as it is.
    """
    if len(series.steps) <= 2 * max(num_buckets, 1):
        return series
    steps, values = np.frombuffer(series.steps), np.frombuffer(series.values)
    kept = places_to_keep(steps, values, max(num_buckets, 1))
    return Series(series.stage, series.name, _array(steps[kept]), _array(values[kept]))


def places_to_keep(steps: Floats, values: Floats, num_buckets: int) -> Places:
    """Indexes of the points that stay, in ascending order; steps must not descend."""
    buckets = _buckets(steps, num_buckets)
    starts = np.flatnonzero(np.concatenate([[True], buckets[1:] != buckets[:-1]]))
    lengths = np.diff(np.append(starts, len(steps)))
    gaps = np.isnan(values)
    lows = np.repeat(np.minimum.reduceat(np.where(gaps, np.inf, values), starts), lengths)
    highs = np.repeat(np.maximum.reduceat(np.where(gaps, -np.inf, values), starts), lengths)
    kept = np.zeros(len(steps), np.bool_)
    kept[[0, -1]] = True
    kept[_firsts(buckets, values == lows)] = True
    kept[_firsts(buckets, values == highs)] = True
    if gaps.any():
        kept[_firsts(buckets, gaps)] = True
        kept[_lasts(buckets, gaps)] = True
    return np.flatnonzero(kept)


def _buckets(steps: Floats, num_buckets: int) -> NDArray[np.int64]:
    """Bucket of each step, all of the same width."""
    span = steps[-1] / 2 - steps[0] / 2  # halves, as the difference of two numbers may be too large for one
    if span <= 0:
        return np.zeros(len(steps), np.int64)
    part = (steps / 2 - steps[0] / 2) / span
    buckets: NDArray[np.int64] = np.minimum((part * num_buckets).astype(np.int64), num_buckets - 1)
    return buckets


def _firsts(buckets: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Places:
    """Of each bucket the first of the chosen points."""
    places = np.flatnonzero(chosen)
    mine = buckets[places]
    is_first = np.ones(len(places), np.bool_)
    is_first[1:] = mine[1:] != mine[:-1]
    return places[is_first]


def _lasts(buckets: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Places:
    places = np.flatnonzero(chosen)
    mine = buckets[places]
    is_last = np.ones(len(places), np.bool_)
    is_last[:-1] = mine[1:] != mine[:-1]
    return places[is_last]


def _array(values: Any) -> "array[float]":
    made = array("d")
    made.frombytes(values.tobytes())
    return made
