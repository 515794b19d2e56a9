"""Begins a bisection, or opens the one that is kept; refuses what cannot be searched."""

import argparse
from collections.abc import Sequence
from shlex import quote

from tui.cli.bisecting.record import BisectionFile, BisectionRecord
from tui.cli.bisecting.search import Bisection
from tui.cli.bisecting.stored_results import StoredResults
from tui.cli.context import Context
from tui.cli.running import parse_override
from tui.core.errors import UsageError, UserError
from tui.core.experiments import Experiment
from tui.core.history.condition import Condition, parse_condition
from tui.core.history.lineage import Line
from tui.core.history.metric_history import find_key, unknown_key
from tui.core.keys import Key, all_keys

USAGE = "finetui bisect GOOD BAD 'test/exact_match >= 0.9', or see finetui bisect --help"
_APART = "they have no commit in common; in a shallow clone: git fetch --unshallow"
_FORGETS = "finetui bisect reset forgets it"
_NONE = "finetui bisect start --good REV --bad REV CONDITION begins one"


def known_record(file: BisectionFile) -> BisectionRecord:
    """The bisection that is under way; UsageError without one."""
    record = file.read()
    if record is None:
        raise UsageError("there is no bisection", hint=_NONE)
    return record


def asked_record(context: Context, options: argparse.Namespace, words: Sequence[str]) -> BisectionRecord:
    """What the words ask for."""
    good, bad, rest = options.good, options.bad, list(words)
    if good is None and rest:
        good = rest.pop(0)
    if bad is None and rest:
        bad = rest.pop(0)
    if not (good and bad and rest):
        raise UsageError("bisect needs a good commit, a bad one and a condition", hint=USAGE)
    condition = parse_condition(" ".join(rest))
    ends = [_commit(context, text) for text in (good, bad)]
    overrides = dict(parse_override(text) for text in options.sets)
    return BisectionRecord(ends[0].rev, ends[1].rev, str(condition), overrides, list(options.targets), options.trust)


def _commit(context: Context, text: str) -> Experiment:
    found = context.resolve(text)
    if found.kind != "commit":
        kind = "the workspace" if found.kind == "workspace" else "an experiment"
        raise UsageError(f"{text!r} is {kind}; bisect goes over commits", hint="give a branch, a tag or a SHA")
    return found


def refuse_another(context: Context, file: BisectionFile, known: BisectionRecord | None) -> None:
    """A bisection that has not ended is not thrown away by another one."""
    if known is None:
        return
    told = f"{known.condition} from {known.good[:7]} to {known.bad[:7]}"
    try:
        state = open_bisection(context, file, known, keep=False).settle()
    except UsageError:
        return  # its ends turned out to be wrong, or are gone: it leads nowhere
    except UserError as error:
        raise UserError("another bisection is kept, which cannot go on now", f"{told}: {error}", _FORGETS) from error
    if state is None or (state.first_bad is None and state.next is not None):
        raise UsageError("another bisection is under way", told, f"finetui bisect run goes on with it, {_FORGETS}")


def begin(context: Context, file: BisectionFile, record: BisectionRecord) -> Bisection:
    """Open a new one; it takes the place of the one before only when its ends are known not to be wrong."""
    bisection = open_bisection(context, file, record, keep=False)
    bisection.settle()
    bisection.keep_in(file)
    return bisection


def open_bisection(context: Context, file: BisectionFile, record: BisectionRecord, keep: bool = True) -> Bisection:
    """The bisection with its commits; without `keep` nothing that is found out is written."""
    good, bad = (context.store.resolve(rev) for rev in (record.good, record.bad))
    line = context.store.line(good, bad)
    if line.relation != "before":
        raise _misplaced(line, good, bad)
    condition = parse_condition(record.condition)
    stored = StoredResults(context, record, condition, _key(context, condition, line.commits))
    return Bisection(context, file if keep else None, record, line, stored)


def _key(context: Context, condition: Condition, commits: Sequence[Experiment]) -> Key:
    """The metric of the condition; where no row has any metric yet, what was typed is believed."""
    revs = {commit.rev for commit in commits}
    rows = [*commits, *(row for row in context.experiments() if row.baseline in revs)]
    key = find_key(condition.name, rows)
    if key is None and all_keys(rows, "metric"):
        raise unknown_key(condition.name, rows)
    if key is None:
        path, _, name = condition.name.rpartition(":")
        return Key("metric", name, path or None)
    if key.side == "param":
        raise UsageError(
            f"{condition.name!r} is a param", hint=f"finetui log {quote(condition.name)} shows where it changed"
        )
    return key


def _misplaced(line: Line, good: Experiment, bad: Experiment) -> UsageError:
    """Why there is nothing to search between two commits."""
    one, two = good.short_rev, bad.short_rev
    if line.relation == "same":
        return UsageError("the good and the bad commit are the same", one)
    if line.relation == "after":
        hint = "to find what mended it, swap the two and turn the condition round"
        return UsageError(f"the good commit {one} comes after the bad one {two}", hint=hint)
    base, merge = (line.base or "")[:7], (line.merge or "")[:7]
    if line.relation == "aside":
        detail = f"the merge {merge} brought it in; bisect follows first parents"
        hint = f"take {base}, the commit before the merge, as the good one" if base else ""
        return UsageError(f"the good commit {one} is not on the first-parent line of {two}", detail, hint)
    hint = f"their last common commit is {base}: take it as the good one" if base else _APART
    return UsageError(f"the good commit {one} is not an ancestor of the bad one {two}", hint=hint)
