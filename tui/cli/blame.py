"""`finetui blame`: the commit where a metric last moved by more than its noise, and what changed there."""

import argparse
from collections.abc import Sequence
from shlex import quote
from typing import Any

from tui.cli.context import Context
from tui.cli.diffing import diff_as_json, print_diff
from tui.cli.finding import find_here
from tui.cli.output import print_json, print_line, print_table
from tui.cli.points import point_json
from tui.cli.text_room import room_beside, shorten
from tui.core.errors import UsageError
from tui.core.experiments import Experiment
from tui.core.history.blame_text import (
    cause_text,
    change_text,
    count,
    headline,
    noise_text,
    since_then,
    value_text,
    way,
)
from tui.core.history.blaming import Blame, find_move, points_since, read_noise
from tui.core.history.metric_history import Point, trace
from tui.core.history.moves import Move
from tui.core.history.noise import Noise
from tui.core.keys import Key
from tui.core.visible import visible

_NUM_SHOWN = 12
_BESIDE = 32
"""Width of what may stand beside a subject."""


def blame(context: Context, options: argparse.Namespace) -> int:
    """Print where the metric moved; exit code 1 when it never did."""
    line = _read(context, options)
    if options.form == "json":
        print_json(_as_json(context, line))
    else:
        _print(context, line)
    return 0 if line.move is not None else 1


def _read(context: Context, options: argparse.Namespace) -> Blame:
    if options.noise is not None and not 0 <= options.noise < float("inf"):
        raise UsageError(f"--noise {options.noise}: must be zero or more", hint="for example: --noise 0.01")
    key, rows = find_here(context, options.metric, options.rev)
    points = tuple(reversed(list(trace(rows, key))))
    if options.baseline:
        points = points_since(points, context.resolve(options.baseline))
    if not any(point.is_known for point in points):
        raise UsageError(f"no commit has a value of {key.text!r}", hint=f"finetui log {quote(key.text)} says why")
    if options.noise is not None:
        noise = Noise(options.noise, "asked", "--noise")
    else:
        noise = read_noise(context.store, key, points, context.experiments())
    return find_move(context.store, key, points, noise, is_since_first=bool(options.baseline))


def _print(context: Context, line: Blame) -> None:
    hint = "; --noise X sets it" if line.noise.source == "none" else ""
    print_line(visible(headline(line)))
    print_line(visible(noise_text(line)) + hint)
    if line.move is None:
        return
    print_line(since_then(line, line.move))
    if line.move.kind == "drift":
        _print_drift(line, line.move)
    elif cause := cause_text(line):
        print_line(f"\n{cause}")
        _print_commits(line.suspects)
    if line.origin is not None:
        print_line(f"\nwhat changed from {line.origin.short_rev} to {line.move.end.experiment.short_rev}")
        print_diff(context, line.origin, line.move.end.experiment)


def _print_drift(line: Blame, move: Move) -> None:
    print_line()
    rows = [[*_commit(point.experiment), *_value(line.key, point)] for point in move.changes[-_NUM_SHOWN:]]
    if len(move.changes) > _NUM_SHOWN:
        print_line(f"the last {_NUM_SHOWN} of {len(move.changes)} changes")
    print_table(["commit", "subject", "value", ""], rows)


def _print_commits(rows: Sequence[Experiment]) -> None:
    print_table(["commit", "subject"], [_commit(row) for row in rows[-_NUM_SHOWN:]])
    if len(rows) > _NUM_SHOWN:
        print_line(f"and {count(len(rows) - _NUM_SHOWN, 'earlier commit')}")


def _commit(row: Experiment) -> list[str]:
    return [row.short_rev, shorten(row.subject or row.label, room_beside(_BESIDE))]


def _value(key: Key, point: Point) -> list[str]:
    return [value_text(key, point.value), change_text(key, point)]


def _as_json(context: Context, line: Blame) -> dict[str, Any]:
    move = line.move
    found: dict[str, Any] = {
        "key": line.key.text,
        "kind": line.key.side,
        "direction": way(line.key),
        "noise": {"size": line.noise.size, "source": line.noise.source, "detail": line.noise.detail},
        "num_commits": len(line.points),
        "value": None if not line.known else line.known[-1].value,
        "move": None,
    }
    if move is None:
        return found
    found["move"] = {
        "kind": move.kind,
        "start": point_json(move.start),
        "end": point_json(move.end),
        "delta": move.delta,
        "changes": [point_json(point) for point in move.changes],
        "suspects": [{"rev": row.rev, "subject": row.subject} for row in line.suspects],
        "origin": line.origin.rev if line.origin is not None else None,
    }
    if line.origin is not None:
        found["diff"] = diff_as_json(context, line.origin, move.end.experiment)
    return found
