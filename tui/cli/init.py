"""`finetui init`: a new project from the template."""

import argparse

from tui.cli.context import Context
from tui.cli.output import print_line
from tui.dvc.template import create_project


def init(context: Context, options: argparse.Namespace) -> int:
    """Make a project, and say what to do next."""
    directory = context.directory / options.target
    kept = create_project(directory, options.into_existing)
    print_line(f"{directory}: a finetui project")
    for name in kept:
        print_line(f"  kept as it was: {name}")
    print_line(f"next: cd {options.target}; edit params.yaml; finetui run")
    return 0
