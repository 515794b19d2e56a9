"""Values that commits only carry on: what they were made from has changed since the pipeline ran."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tui.core.errors import UserError
from tui.core.history.deciding import differ, files_of
from tui.core.history.metric_history import Point
from tui.core.keys import Key
from tui.core.ports import Runner, Store

_MAX_CARRIED = 100
"""Commits to look back over for those results."""


def is_own(store: Store, before: Point, point: Point) -> bool:
    """Whether the results of a commit came with it, and are not those of the commit before."""
    row = point.experiment
    return point.is_change or row.kind == "experiment" or bool(store.changed_stages(before.experiment, row))


def stale_revs(store: Store, runner: Runner, key: Key, points: Sequence[Point], older: Iterator[Point]) -> set[str]:
    """SHAs of the commits with a stale value, newest first; older ones tell which results the last of them carries on.

    Files that differ from those that the results came with are cheap to find; whether they count is asked as `finetui
    bisect` does, against dvc.lock, and once: results that have become stale stay so until the pipeline runs or all is
    changed back.
    """
    if key.side == "param" or not points:
        return set()
    line = _from_origin(store, list(points), older)
    found: set[str] = set()
    fresh, is_stale = line[0].experiment, False
    for before, point in pairwise(line):
        row = point.experiment
        try:
            if is_own(store, before, point):
                fresh, is_stale = row, False
            elif not differ(store, fresh, row):
                is_stale = False
            elif not is_stale and not _is_outdated(runner, key, point):
                fresh = row
            else:
                is_stale = True
        except UserError:  # an object is missing: then nothing is known
            fresh, is_stale = row, False
        if is_stale and point.is_known:
            found.add(row.rev)
    return found


def _from_origin(store: Store, points: list[Point], older: Iterator[Point]) -> list[Point]:
    """Oldest first, from the commit that the results of the oldest one came with."""
    for _ in range(_MAX_CARRIED):
        before = next(older, None)
        if before is None:
            break
        points.append(before)
        try:
            if is_own(store, before, points[-2]):
                break
        except UserError:
            break
    return points[::-1]


def _is_outdated(runner: Runner, key: Key, point: Point) -> bool:
    """Whether dvc.lock disagrees with what the commit holds; where that cannot be asked, what differs counts."""
    row = point.experiment
    if row.kind != "commit":
        return True
    try:
        return bool(runner.outdated(row.rev, files_of(key, row)))
    except UserError:
        return True
