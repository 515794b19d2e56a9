"""`finetui blame`: the commit where a metric last moved by more than its noise, and what changed there."""

import argparse
from collections.abc import Sequence
from typing import Any

from tui.cli.context import Context
from tui.cli.diffing import diff_as_json, print_diff
from tui.cli.log import ARROWS, count, point_json, room_beside, shorten, text_of, way
from tui.cli.output import print_json, print_line, print_table, visible
from tui.core.blame import Move
from tui.core.blaming import Blame, find_move, points_since, read_noise
from tui.core.errors import UsageError
from tui.core.experiments import Experiment
from tui.core.keys import Key
from tui.core.metric_history import Point, trace
from tui.core.noise import Noise
from tui.core.values import format_delta, format_value, is_number
from tui.core.walking import find, walk

_NUM_SHOWN = 12
_BESIDE = 32
"""Width of what may stand beside a subject."""


def blame(context: Context, options: argparse.Namespace) -> int:
    """Print where the metric moved; exit code 1 when it never did."""
    line = _read(context, options)
    if options.form == "json":
        print_json(_as_json(context, line))
    else:
        _print(context, line, options)
    return 0 if line.move is not None else 1


def _read(context: Context, options: argparse.Namespace) -> Blame:
    if options.noise is not None and not 0 <= options.noise < float("inf"):
        raise UsageError(f"--noise {options.noise}: must be zero or more", hint="for example: --noise 0.01")
    key, rows = find(options.metric, walk(context.store, context.resolve(options.rev)))
    points = tuple(reversed(list(trace(rows, key))))
    if options.baseline:
        points = points_since(points, context.resolve(options.baseline))
    if not any(point.is_known for point in points):
        raise UsageError(f"no commit has a value of {key.text!r}", hint=f"finetui log {key.text} says why")
    if options.noise is not None:
        noise = Noise(options.noise, "asked", "--noise")
    else:
        noise = read_noise(context.store, key, points, context.experiments())
    return find_move(context.store, key, points, noise, is_since_first=bool(options.baseline))


def _print(context: Context, line: Blame, options: argparse.Namespace) -> None:
    hint = "; --noise X sets it" if line.noise.source == "none" else ""
    noise = f"noise: {format_value(line.noise.size)}; {line.noise.detail}{hint}"
    if line.move is None:
        print_line(_unmoved(line, options))
        print_line(noise)
        return
    move = line.move
    print_line(_headline(line.key, move))
    print_line(noise)
    print_line(_since_then(line, move))
    if move.kind == "drift":
        _print_drift(line, move)
    else:
        _print_step(line)
    if line.origin is not None:
        print_line(f"\nwhat changed from {line.origin.short_rev} to {move.end.experiment.short_rev}")
        print_diff(context, line.origin, move.end.experiment)


def _unmoved(line: Blame, options: argparse.Namespace) -> str:
    known = line.known
    since = f"since {options.baseline}" if options.baseline else f"in {count(len(line.points), 'commit')}"
    now = text_of(line.key, known[-1].value)
    return visible(f"{line.key.text} is {now} and has not moved by more than its noise {since}; {_range(line, known)}")


def _headline(key: Key, move: Move) -> str:
    old, new = text_of(key, move.start.value), text_of(key, move.end.value)
    row = move.end.experiment
    change = _change(key, move.start, move.end)
    if move.kind == "step":
        return visible(f"{key.text}: {old} -> {new}{change} in {row.short_rev} {row.subject}")
    steps = count(len(move.changes), "change")
    return visible(f"{key.text}: {old} -> {new}{change}, drifted over {steps} that are each within the noise")


def _change(key: Key, old: Point, new: Point) -> str:
    if not (is_number(old.value) and is_number(new.value)):
        return ""
    delta = float(new.value) - float(old.value)
    arrow = ARROWS["better" if (delta > 0) == (way(key) == "higher") else "worse"] if way(key) != "none" else ""
    return f" ({' '.join(part for part in (arrow, format_delta(delta, key.text)) if part)})"


def _since_then(line: Blame, move: Move) -> str:
    later = line.known[line.known.index(move.end) :]
    return f"since then: {_range(line, later)} in {count(len(later), 'commit')}"


def _range(line: Blame, points: Sequence[Point]) -> str:
    """Lowest and highest value of some points."""
    numbers = [point.value for point in points if is_number(point.value)]
    if not numbers:
        return "the same"
    low, high = text_of(line.key, min(numbers)), text_of(line.key, max(numbers))
    return f"always {low}" if low == high else f"between {low} and {high}"


def _print_step(line: Blame) -> None:
    if len(line.suspects) == 1 and line.origin is not None:
        return
    print_line()
    if line.origin is None:
        print_line("it is not known which results were there before; these commits may have done it")
    else:
        print_line(f"the results were committed there; the cause is in one of {count(len(line.suspects), 'commit')}")
    _print_commits(line.suspects)


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
    return [text_of(key, point.value), f"{ARROWS.get(point.verdict, '')} {format_delta(point.delta, key.text)}".strip()]


def _as_json(context: Context, line: Blame) -> dict[str, Any]:
    move = line.move
    found: dict[str, Any] = {
        "key": line.key.text,
        "kind": line.key.side,
        "direction": way(line.key),
        "noise": line.noise,
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
