"""The commands that start, stop and follow runs."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml

from pipeline.contract.yaml12 import load_yaml
from tui.cli.context import Context
from tui.cli.output import print_error, print_json, print_line, print_table
from tui.cli.progress import ProgressLine, format_duration
from tui.core.errors import UsageError
from tui.core.runs import LaunchPlan, Run, RunRequest, StagePlan
from tui.core.visible import visible

_POLL_S = 0.5


def run(context: Context, options: argparse.Namespace) -> int:
    """Launch an experiment, and unless told otherwise wait for its end."""
    overrides = dict(parse_override(text) for text in options.sets)
    rev = _commit(context, options.rev) if options.rev else None
    request = RunRequest(overrides, options.name, tuple(options.targets), options.force, rev)
    if options.plan:
        return _print_plan(context.runner.plan(request), options.form)
    if not options.force and not any(stage.will_run for stage in context.runner.plan(request).stages):
        print_error("every stage is up to date or cached: the new experiment will equal what is there")
    started = context.runner.launch(request)
    if options.detach:
        if options.form == "json":
            print_json(started)
        else:
            name = started.name
            print_line(f"{name} runs; follow it: finetui logs -f {name}; stop it: finetui stop {name}")
        return 0
    return _print_end(wait(context, started, quiet=options.form == "json"), options.form)


def _commit(context: Context, text: str) -> str | None:
    """SHA of the commit to run; None for the workspace."""
    found = context.resolve(text)
    if found.kind == "experiment":
        raise UsageError(f"--rev {text!r} is an experiment", hint="give a branch, a tag or a SHA; -S sets its params")
    return None if found.kind == "workspace" else found.rev


Next = Callable[[Sequence[RunRequest], Sequence[Run]], RunRequest | None]
"""Which of the waiting requests to launch beside the active runs; None to wait."""


def run_all(
    context: Context,
    requests: Sequence[RunRequest],
    num_slots: int,
    running: Sequence[Run] = (),
    choose: Next = lambda waiting, _: waiting[0],
) -> bool:
    """Launch runs, so many at once beside those that run already, show progress, say how each ended; are all done?"""
    waiting, active, all_done = list(requests), list(running), True
    line = ProgressLine(sys.stderr)
    try:
        while waiting or active:
            while waiting and len(active) < num_slots and (chosen := choose(waiting, active)) is not None:
                waiting.remove(chosen)
                active.append(context.runner.launch(chosen))
            time.sleep(_POLL_S)
            active = [_again(context, run) for run in active]
            line.show(*active)
            for run in [run for run in active if not run.is_active]:
                active.remove(run)
                line.end()
                all_done = _print_end(run, "text") == 0 and all_done
    except KeyboardInterrupt:
        line.end()
        print_error("; ".join(f"{run.name} goes on; stop it: finetui stop {run.name}" for run in active))
        raise
    return all_done


def stop(context: Context, options: argparse.Namespace) -> int:
    """Ask a run to stop, and wait until it has."""
    target = context.find_run(options.run)
    if not target.is_active:
        print_error(f"{target.name} has already ended: {target.status}")
        return 1
    context.runner.stop(target.id)
    ended = wait(context, target, quiet=True)
    if options.form == "json":
        print_json(ended)
    else:
        print_line(f"{ended.name}: {ended.status}")
    return 0


def logs(context: Context, options: argparse.Namespace) -> int:
    """Print the log of a run; with --follow until it ends."""
    target = context.find_run(options.run)
    if options.form == "json":
        text = "".join(piece for piece, _ in _log_pieces(context, target, 0))
        print_json({"id": target.id, "name": target.name, "status": target.status, "log": text})
        return 0
    offset, rest = 0, ""
    while True:
        is_active = target.is_active
        for piece, following in _log_pieces(context, target, offset):
            offset = following
            *lines, rest = (rest + piece).split("\n")
            for line in lines:
                _print_log_line(line)
        if not (options.follow and is_active):
            break
        time.sleep(_POLL_S)
        target = _again(context, target)
    if rest:
        _print_log_line(rest)
    return 0


def _log_pieces(context: Context, run: Run, offset: int) -> Iterator[tuple[str, int]]:
    """Everything in the log from an offset on, each piece with the offset behind it."""
    while True:
        before = offset
        piece, offset = context.runner.read_log(run.id, before)
        if offset == before:
            return
        yield piece, offset


def _print_log_line(line: str) -> None:
    """One line; of a progress bar that redraws itself, each state."""
    for part in filter(None, line.split("\r")) if "\r" in line else [line]:
        print_line(visible(part))


def parse_override(text: str) -> tuple[str, Any]:
    """Key and value of KEY=VALUE; the value is YAML."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"-S {text!r} is no KEY=VALUE", hint="for example: -S train.lora.r=8")
    try:
        return key, load_yaml(value) if value else ""
    except yaml.YAMLError as error:
        raise UsageError(f"-S {text!r}: the value is no YAML", hint="quote it: -S 'key=\"text\"'") from error


def _print_plan(plan: LaunchPlan, form: str) -> int:
    if form == "json":
        print_json(plan)
    elif not plan.problems:
        rows = [_plan_row(stage) for stage in plan.stages]
        print_table(["stage", "", "why", "what changed", "last time"], rows)
        for warning in plan.warnings:
            print_line(f"note: {visible(warning)}")
    for problem in plan.problems:
        print_error(problem)
    return 2 if plan.problems else 0


def _plan_row(stage: StagePlan) -> list[str]:
    state = "runs" if stage.will_run else "up to date"
    last = "" if stage.expected_s is None else format_duration(stage.expected_s)
    return [stage.stage, state, stage.reason or "", stage.detail, last]


def wait(context: Context, run: Run, quiet: bool) -> Run:
    """The run as it is when it has ended, with a line about its progress until then."""
    line = ProgressLine(sys.stderr if not quiet else None)
    try:
        while run.is_active:
            line.show(run)
            time.sleep(_POLL_S)
            run = _again(context, run)
    except KeyboardInterrupt:
        line.end()
        print_error(f"{run.name} goes on; stop it: finetui stop {run.name}")
        raise
    line.show(run)
    line.end()
    return run


def _again(context: Context, run: Run) -> Run:
    return next((other for other in context.runner.runs() if other.id == run.id), run)


def _print_end(run: Run, form: str) -> int:
    if form == "json":
        print_json(run)
    elif run.status == "done":
        print_line(f"{run.name}: done, {(run.rev or '')[:7]}")
    else:
        reason = f": {visible(run.error)}" if run.error else ""
        print_error(f"{run.name} {run.status}{reason}; see: finetui logs {run.name}")
    return 0 if run.status == "done" else 1
