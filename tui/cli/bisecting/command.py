"""`finetui bisect`: finds the commit that broke a condition."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from tui.cli.bisecting.opening import USAGE, asked_record, begin, known_record, open_bisection, refuse_another
from tui.cli.bisecting.record import BisectionFile, Tested
from tui.cli.bisecting.search import Bisection
from tui.cli.bisecting.telling import print_plan, print_result, print_tested, status_json
from tui.cli.context import Context
from tui.cli.output import print_error, print_json, print_line
from tui.core.errors import UsageError, UserError
from tui.core.experiments import Experiment
from tui.core.runs import Run


def bisect(context: Context, options: argparse.Namespace) -> int:
    """Search, or one of the words that steer a search; 0 found, 1 not decidable, 2 wrong use."""
    word, *rest = options.words or [""]
    steps: dict[str, Callable[[Context, argparse.Namespace, list[str]], int]] = {
        "start": _start, "run": _run, "status": _status, "log": _log, "skip": _skip, "reset": _reset,
    }  # fmt: skip
    is_looking = options.plan or word in {"status", "log"}
    if options.read_only and not is_looking:
        raise UsageError("bisect runs commits", hint="leave --read-only away, or look with --plan")
    if word in steps:
        return steps[word](context, options, rest)
    return _search(context, options, options.words)


def _search(context: Context, options: argparse.Namespace, words: Sequence[str]) -> int:
    """All in one: begin, or go on with the same, until the commit is found."""
    record = asked_record(context, options, words)
    file = BisectionFile(context.store.root)
    if options.plan:
        return _plan(open_bisection(context, file, record, keep=False), options)
    with file.held():
        known = file.read()
        if known is not None and known.asks_same(record):
            return _go_on(open_bisection(context, file, known), options)
        refuse_another(context, file, known)
        return _go_on(begin(context, file, record), options)


def _start(context: Context, options: argparse.Namespace, words: list[str]) -> int:
    record, file = asked_record(context, options, words), BisectionFile(context.store.root)
    with file.held():
        refuse_another(context, file, file.read())
        return _plan(begin(context, file, record), options)


def _run(context: Context, options: argparse.Namespace, words: list[str]) -> int:
    _no_more(words)
    file = BisectionFile(context.store.root)
    if options.plan:
        return _plan(open_bisection(context, file, known_record(file), keep=False), options)
    with file.held():
        return _go_on(open_bisection(context, file, known_record(file)), options)


def _status(context: Context, options: argparse.Namespace, words: list[str]) -> int:
    _no_more(words)
    file = BisectionFile(context.store.root)
    return _plan(open_bisection(context, file, known_record(file), keep=False), options)


def _log(context: Context, options: argparse.Namespace, words: list[str]) -> int:
    _no_more(words)
    file = BisectionFile(context.store.root)
    bisection = open_bisection(context, file, known_record(file), keep=False)
    if options.form == "json":
        print_json(status_json(context, bisection, None)["tested"])
    else:
        for commit in bisection.line:
            if commit.rev in bisection.record.tested:
                print_tested(commit, bisection.record.tested[commit.rev])
    return 0


def _skip(context: Context, _: argparse.Namespace, words: list[str]) -> int:
    file = BisectionFile(context.store.root)
    with file.held():
        bisection = open_bisection(context, file, known_record(file))
        if words:
            commits = [context.resolve(text) for text in words]
        else:
            state = bisection.settle()
            if state is None or state.next is None:
                raise UsageError("there is no commit to be tested next", hint="name one: finetui bisect skip REV")
            commits = [bisection.line[state.next]]
        inside = {commit.rev for commit in bisection.line[1:-1]}
        for commit in commits:
            if commit.rev not in inside:
                raise UsageError(f"{commit.label} is not between the good and the bad commit")
            bisection.skip(commit, "left out by hand")
            print_tested(commit, bisection.record.tested[commit.rev])
    return 0


def _reset(context: Context, _: argparse.Namespace, words: list[str]) -> int:
    _no_more(words)
    file = BisectionFile(context.store.root)
    with file.held():
        going = _going(context, file)
        print_line("the bisection is forgotten" if file.remove() else "there is no bisection to forget")
        for run in going:
            print_line(f"{run.name} goes on; stop it: finetui stop {run.name}")
    return 0


def _going(context: Context, file: BisectionFile) -> list[Run]:
    """Its run, if that goes on; a broken file, which is forgotten as well, tells of none."""
    try:
        record = file.read()
    except UserError:
        return []
    going = record.going if record is not None else None
    return [run for run in context.runner.runs() if run.is_active and run.id == going.run] if going else []


def _no_more(words: Sequence[str]) -> None:
    if words:
        raise UsageError(f"unexpected: {' '.join(words)}", hint=USAGE)


def _plan(bisection: Bisection, options: argparse.Namespace) -> int:
    """What is known, and what would run; runs nothing."""
    state = bisection.settle()
    if options.form == "json":
        print_json(status_json(bisection.context, bisection, state))
    elif state is not None and (state.first_bad is not None or state.next is None):
        print_result(bisection.context, bisection, state)
    else:
        print_plan(bisection, state)
    return 0


def _go_on(bisection: Bisection, options: argparse.Namespace) -> int:
    is_text = options.form == "text"
    tell: Callable[[Experiment, Tested], Any] = print_tested if is_text else lambda *_: None
    if is_text:
        print_plan(bisection, bisection.settle())
    try:
        state = bisection.run(tell, quiet=not is_text)
    except KeyboardInterrupt:
        print_error("finetui bisect run goes on from here")
        raise
    if is_text:
        print_result(bisection.context, bisection, state)
    else:
        print_json(status_json(bisection.context, bisection, state))
    return 0 if state.first_bad is not None else 1
