"""`make demo`: a new project, real experiments in it, and then the TUI (or, without a terminal, the table)."""

import argparse
import sys
from pathlib import Path
from typing import Any

from tui.cli import reading, running
from tui.cli.context import Context
from tui.cli.output import has_terminal, print_error, print_line
from tui.core.errors import UserError
from tui.core.runs import RunRequest

EXPERIMENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("base", {"train.objective": "none"}),
    ("lora", {}),
    ("full", {"train.peft": "none", "train.learning_rate": 1.0e-3}),
    ("prompt-tuning", {"train.peft": "prompt_tuning", "train.learning_rate": 3.0e-2}),
)
"""Name and overrides; the learning rates are each method's own, as docs/experiments.md found them."""
_AGAIN = "-try-"
"""Joins the name and the number of a second try, after one that failed or was stopped."""
_NUM_SLOTS = 2
"""Runs at once: a small model trains on one core."""


def main(arguments: list[str]) -> int:
    """Run what is not there yet, then show it all."""
    context = Context(Path(arguments[0]))
    try:
        _ensure_project(context.directory)
        if not _run_all(context):
            return 1
        return _show(context)
    except UserError as error:
        print_error(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _ensure_project(directory: Path) -> None:
    from tui.dvc.template import create_project

    if (directory / ".dvc").is_dir():
        print_line(f"{directory}: goes on where it was")
        return
    create_project(directory)
    print_line(f"{directory}: a new project")


def _run_all(context: Context) -> bool:
    """Run what is missing: the first one alone, because the others take its base model and data out of the cache."""
    rows = [row for row in context.experiments() if row.kind == "experiment"]
    active = [run for run in context.runner.runs() if run.is_active]
    requests = []
    for name, overrides in EXPERIMENTS:
        tries = [row for row in rows if row.name and row.name.partition(_AGAIN)[0] == name]
        states = {row.status for row in tries}
        state = next((state for state in ("done", "running", "queued") if state in states), "to run")
        print_line(f"  {name}: {state}")
        if state == "to run":
            requests.append(RunRequest(overrides, f"{name}{_AGAIN}{len(tries) + 1}" if tries else name))
    alone = int(any(request.overrides == EXPERIMENTS[0][1] for request in requests))
    is_base_done = running.run_all(context, requests[:alone], 1, active)
    return is_base_done and running.run_all(context, requests[alone:], _NUM_SLOTS)


def _show(context: Context) -> int:
    if has_terminal():
        from tui.app import run_app

        return run_app(context.directory)
    return reading.experiments(
        context, argparse.Namespace(form="text", filter="", sort="", reverse=False, all_columns=False)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
