"""`finetui init`: a new project from the template."""

import argparse
import shlex
from pathlib import Path

from tui.cli.context import Context
from tui.cli.output import print_json, print_line
from tui.dvc.template import create_project


def init(context: Context, options: argparse.Namespace) -> int:
    """Make a project, and say what to do next."""
    directory = context.directory / options.target
    kept = create_project(directory, options.into_existing)
    if options.form == "json":
        print_json({"directory": directory.absolute(), "kept": kept})
        return 0
    print_line(f"{directory}: a finetui project")
    for name in kept:
        print_line(f"  kept as it was: {name}")
    go = [] if directory.resolve() == Path.cwd() else [f"cd {shlex.quote(str(directory))}"]
    print_line("next: " + "; ".join([*go, "edit params.yaml", "finetui run"]))
    return 0
