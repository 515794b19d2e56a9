"""`finetui log`: a metric or param along the first-parent history."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, tee
from typing import Any

from tui.cli.context import Context
from tui.cli.finding import find_here
from tui.cli.output import print_error, print_json, print_line, print_table, raw
from tui.cli.points import point_json
from tui.cli.text_room import room_beside, shorten
from tui.core.comparison import metric_cell
from tui.core.errors import UsageError
from tui.core.experiments import Experiment
from tui.core.history.blame_text import change_text, count, note, value_text, way
from tui.core.history.metric_history import Folded, Point, fold, trace
from tui.core.history.staleness import stale_revs
from tui.core.keys import Key
from tui.core.values import as_float
from tui.core.visible import visible

_HEADERS = ("commit", "date", "value", "", "", "subject")
_RAW_HEADERS = ("rev", "date", "refs", "name", "value", "delta", "verdict", "note", "stale", "num_folded", "subject")
_BLOCKS = " ▏▎▍▌▋▊▉█"
_BAR_CELLS = 8
Found = Mapping[str, Sequence[Point]]
"""SHA of a commit -> its experiments."""


def log(context: Context, options: argparse.Namespace) -> int:
    """Print the newest commits with their values."""
    if options.num < 1:
        raise UsageError(f"-n {options.num}: at least one commit", hint="for example: -n 50")
    key, rows = find_here(context, options.metric, options.rev, options.experiments)
    shown = _shown(context, key, trace(rows, key), options)
    found = _experiments(context, shown, key) if options.experiments else {}
    if options.form == "json":
        print_json(_as_json(key, shown, found))
    elif options.form == "text":
        _print_text(key, shown, found)
    elif options.form == "md":
        lines = [[*line[:4], line[5]] for one in shown for line in _lines(one, key, (), found)]
        print_table([*_HEADERS[:3], "change", "subject"], lines, "md")
        _print_notes(shown)
    else:
        print_table(_RAW_HEADERS, [line for one in shown for line in _raw_lines(one, found)], "csv")
    return 0


def _shown(context: Context, key: Key, points: Iterator[Point], options: argparse.Namespace) -> list[Folded]:
    """The points to print; those with a value that the commit only carries on are marked."""
    points, again = tee(points)
    shown = list(islice(_folded(points, options.changes), options.num))
    line: list[Point] = []
    # with --changes only the newest one has a value that did not come with it
    while len(line) < len(shown) or (options.changes and not any(point.is_change for point in line[-1:])):
        point = next(again, None)
        if point is None:
            break
        line.append(point)
    stale = stale_revs(context.store, context.runner, key, line, again)
    return [
        replace(one, point=replace(one.point, is_stale=True)) if one.point.experiment.rev in stale else one
        for one in shown
    ]


def _folded(points: Iterable[Point], only_changes: bool) -> Iterator[Folded]:
    return fold(points) if only_changes else map(Folded, points)


def _experiments(context: Context, shown: Sequence[Folded], key: Key) -> dict[str, list[Point]]:
    """Experiments of the commits, each against its commit."""
    found: dict[str, list[Point]] = {one.point.experiment.rev: [] for one in shown}
    bases = {one.point.experiment.rev: one.point.value for one in shown}
    for row in context.experiments():
        if row.kind == "experiment" and row.baseline in found and row.rev not in bases:
            cell = metric_cell(key.value(row), bases[row.baseline], way(key))
            found[row.baseline].append(Point(row, cell.value, bases[row.baseline], cell.delta, cell.verdict))
    return found


def _print_text(key: Key, shown: Sequence[Folded], found: Found) -> None:
    better = {"higher": " (higher is better)", "lower": " (lower is better)", "none": ""}[way(key)]
    print_line(f"{visible(key.text)}{better}")
    points = [point for one in shown for point in (one.point, *found.get(one.point.experiment.rev, ()))]
    scale = [number for point in points if (number := as_float(point.value)) is not None]
    lines = [line for one in shown for line in _lines(one, key, scale, found)]
    room = _room(lines)
    print_table(_HEADERS, [[*line[:-1], shorten(line[-1], room)] for line in lines])
    _print_notes(shown)
    if not any(point.is_known for point in points):
        print_error("none of these commits has a value; -n looks further back")


def _print_notes(shown: Sequence[Folded]) -> None:
    if any(one.point.is_stale for one in shown):
        print_line("\nstale: the params, code or data of the commit are not those that the value was made from")


def _lines(one: Folded, key: Key, scale: Sequence[float], found: Found) -> Iterator[list[str]]:
    row = one.point.experiment
    names = f"({', '.join(row.refs)}) " if row.refs else f"({row.name}) " if row.name else ""
    yield [row.short_rev, _date(row), *_cells(one.point, key, scale), names + row.subject]
    for point in found.get(row.rev, ()):
        yield [
            f" {point.experiment.short_rev}",
            _date(point.experiment),
            *_cells(point, key, scale),
            f"  {_name(point)}",
        ]
    if one.num_folded:
        yield ["", "", "", "", "", f"… {count(one.num_folded, 'commit')} without a change"]


def _name(point: Point) -> str:
    status = "" if point.experiment.status == "done" else f", {point.experiment.status}"
    return f"{point.experiment.label}{status}"


def _cells(point: Point, key: Key, scale: Sequence[float]) -> list[str]:
    change = "stale" if point.is_stale else change_text(key, point)
    return [note(point) or value_text(key, point.value), change, bar(point.value, scale)]


def bar(value: Any, scale: Sequence[float]) -> str:
    """Where a value lies between the lowest and the highest; an eighth of a cell stands for the lowest.

    >>> bar(1.0, [0.0, 1.0]), bar(0.0, [0.0, 1.0]), bar(0.5, [0.0, 1.0])
    ('████████', '▏', '████▏')
    """
    number = as_float(value)
    if number is None or not scale:
        return ""
    low, high = min(scale), max(scale)
    # halved, because the distance of two large numbers may be no number
    share = (number / 2 - low / 2) / (high / 2 - low / 2) if high > low else 1.0
    eighths = 1 + round(share * (_BAR_CELLS * 8 - 1))
    return "█" * (eighths // 8) + _BLOCKS[eighths % 8].strip()


def _room(lines: Sequence[Sequence[str]]) -> int | None:
    """Width that is left for the last column on a terminal; None where nothing is cut."""
    rows = [_HEADERS, *lines]
    return room_beside(sum(max(len(row[column]) for row in rows) + 2 for column in range(len(_HEADERS) - 1)))


def _date(row: Experiment) -> str:
    return row.timestamp.strftime("%Y-%m-%d") if row.timestamp else ""


def _raw_lines(one: Folded, found: Found) -> Iterator[list[str]]:
    yield _raw_line(one.point, one.num_folded)
    yield from (_raw_line(point, 0) for point in found.get(one.point.experiment.rev, ()))


def _raw_line(point: Point, num_folded: int) -> list[str]:
    row = point.experiment
    when = row.timestamp.isoformat() if row.timestamp else ""
    values = (raw(point.value), raw(point.delta), point.verdict, note(point), raw(point.is_stale), str(num_folded))
    return [row.rev, when, " ".join(row.refs), row.name or "", *values, row.subject]


def _as_json(key: Key, shown: Sequence[Folded], found: Found) -> dict[str, Any]:
    commits = []
    for one in shown:
        experiments = [point_json(point) for point in found.get(one.point.experiment.rev, ())]
        commits.append(point_json(one.point) | {"num_folded": one.num_folded, "experiments": experiments})
    return {"key": key.text, "kind": key.side, "direction": way(key), "commits": commits}
