"""How a bisection is told: each test, what is left, and the commit that was found."""

from dataclasses import asdict
from typing import Any

from tui.cli.bisecting.record import Tested
from tui.cli.bisecting.search import Bisection
from tui.cli.context import Context
from tui.cli.diffing import diff_as_json, print_diff
from tui.cli.output import print_line
from tui.cli.text_room import room_beside, shorten
from tui.core.experiments import Experiment
from tui.core.history.bisect import Search, earlier_breaks
from tui.core.history.blame_text import count
from tui.core.visible import visible

_HOW = {"stored": "stored in the commit", "experiment": "an experiment has it", "run": "run", "user": "by hand"}
_MAX_SHOWN = 12


def print_tested(commit: Experiment, tested: Tested) -> None:
    """One commit: good, bad or skipped, and how that is known."""
    value = "" if tested.value is None else f"{tested.value:g}"
    how = tested.reason or _HOW[tested.how]
    text = visible(f"{commit.short_rev}  {tested.mark:<4}  {value:<8}  {how:<20}  {commit.subject}")
    print_line(shorten(text, room_beside(0)).rstrip())


def print_plan(bisection: Bisection, state: Search | None) -> None:
    """What is left to test."""
    line = bisection.line
    print_line(visible(f"good is {bisection.record.condition}: {_commits(bisection)}"))
    for place in (0, -1):
        if line[place].rev in bisection.record.tested:
            print_tested(line[place], bisection.record.tested[line[place].rev])
    if state is None:
        ends = " and ".join(one.short_rev for one in bisection.untested_ends())
        print_line(f"{ends} must run first: no stored metrics belong to what the commit holds")
        return
    if state.first_bad is not None:
        return
    if state.next is not None:
        what = f"at most {count(state.max_tests, 'run')}"
        print_line(f"{count(len(state.candidates), 'candidate')} left, {what}; next: {_named(line[state.next])}")


def _commits(bisection: Bisection) -> str:
    told = f", {count(len(bisection.merges), 'merge')} among them" if bisection.merges else ""
    first, *_, last = bisection.line
    return f"{count(len(bisection.line) - 1, 'commit')} after {_label(first)} up to {_label(last)}{told}"


def _label(commit: Experiment) -> str:
    return commit.refs[0] if commit.refs else commit.short_rev


def _named(commit: Experiment) -> str:
    return visible(f"{commit.short_rev} {commit.subject}")


def print_result(context: Context, bisection: Bisection, state: Search) -> None:
    """The commit that was found, or those that it can be."""
    if state.first_bad is None:
        _print_candidates(bisection, state)
        return
    old, new = bisection.line[state.first_bad - 1], bisection.line[state.first_bad]
    values = [bisection.record.tested[one.rev].value for one in (old, new)]
    change = f" ({values[0]:g} -> {values[1]:g})" if None not in values else ""
    print_line(visible(f"{_named(new)} is the first commit that is not {bisection.record.condition}{change}"))
    if new.rev in bisection.merges:
        inside = f"finetui bisect {old.short_rev} {new.short_rev}^2 '{bisection.record.condition}'"
        brought = count(bisection.merges[new.rev], "commit")
        print_line(f"it is a merge, which brought in {brought}; to look among them: {inside}")
    _print_doubts(bisection)
    print_line(f"\nwhat changed from {old.short_rev} to {new.short_rev}")
    print_diff(context, old, new)


def _print_doubts(bisection: Bisection) -> None:
    broken = earlier_breaks(bisection.marks())
    if broken:
        first = _named(bisection.line[broken[0]])
        print_line(f"it was broken before, too, and mended again: {first}; this is the last time that it broke")


def _print_candidates(bisection: Bisection, state: Search) -> None:
    candidates = [bisection.line[place] for place in state.candidates]
    print_line(f"cannot be decided: the commits between cannot be tested; one of these {len(candidates)} broke it")
    for commit in candidates[:_MAX_SHOWN]:
        tested = bisection.record.tested.get(commit.rev)
        print_line(f"  {_named(commit)}{f': {visible(tested.reason)}' if tested and tested.reason else ''}")
    if len(candidates) > _MAX_SHOWN:
        print_line(f"  and {len(candidates) - _MAX_SHOWN} more")


def status_json(context: Context, bisection: Bisection, state: Search | None) -> dict[str, Any]:
    """Everything about it, as `bisect --json` prints it."""
    line, record = bisection.line, bisection.record
    found = None if state is None or state.first_bad is None else state.first_bad
    is_over = found is not None or (state is not None and state.next is None)
    return {
        "good": record.good,
        "bad": record.bad,
        "condition": record.condition,
        "overrides": record.overrides,
        "num_commits": len(line) - 1,
        "state": "found" if found is not None else "undecided" if is_over else "searching",
        "first_bad": None if found is None else line[found].rev,
        "num_merged": 0 if found is None else bisection.merges.get(line[found].rev, 0),
        "candidates": [] if state is None else [line[place].rev for place in state.candidates],
        "next": None if state is None or state.next is None or found is not None else line[state.next].rev,
        "must_run": [one.rev for one in bisection.untested_ends()] if state is None else [],
        "max_runs": None if state is None else 0 if is_over else state.max_tests,
        "tested": [_tested(one, record.tested[one.rev]) for one in line if one.rev in record.tested],
        "going": record.going,
        "diff": None if found is None else diff_as_json(context, line[found - 1], line[found]),
    }


def _tested(commit: Experiment, tested: Tested) -> dict[str, Any]:
    return {"rev": commit.rev, "subject": commit.subject, **asdict(tested)}
