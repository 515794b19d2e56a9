"""The command line: `finetui` opens the TUI, `finetui COMMAND` answers and ends."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module

from pipeline.contract.environment import QUIET_ENVIRONMENT
from tui.cli.context import Context
from tui.cli.encoding import take_every_character
from tui.cli.output import has_terminal, print_error
from tui.cli.parser import build_parser
from tui.core.errors import UsageError, UserError

_MODULES = {
    "init": "tui.cli.init",
    "experiments": "tui.cli.reading",
    "show": "tui.cli.reading",
    "compare": "tui.cli.comparing",
    "diff": "tui.cli.diffing",
    "query": "tui.cli.querying",
    "adapters": "tui.cli.adapters",
    "log": "tui.cli.log",
    "blame": "tui.cli.blame",
    "bisect": "tui.cli.bisecting.command",
    "run": "tui.cli.running",
    "stop": "tui.cli.running",
    "logs": "tui.cli.running",
    "doctor": "tui.cli.doctor",
}
"""A command's function has its name; its module is imported only when it is called."""
_CHANGING = {"init", "run", "stop"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 done, 1 the answer is no or the run failed, 2 wrong use."""
    for variable, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    try:
        options = build_parser().parse_args(arguments)
        return _dispatch(options)
    except UsageError as error:
        print_error(str(error))
        return 2
    except UserError as error:
        print_error(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has seen enough; without this the interpreter complains while it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # A full disk or a folder that may not be read is nothing that a traceback would help with.
        print_error(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
        return 1


def _dispatch(options: Namespace) -> int:
    context = Context(options.directory)
    if options.command is None:
        if not has_terminal():
            raise UsageError("the TUI needs a terminal", hint="for scripts: finetui experiments, finetui --help")
        from tui.app import run_app

        return run_app(context.directory, options.read_only)
    if options.read_only and options.command in _CHANGING and not getattr(options, "plan", False):
        raise UsageError(f"{options.command} changes things", hint="leave --read-only away")
    take_every_character()
    command: Callable[[Context, Namespace], int] = getattr(import_module(_MODULES[options.command]), options.command)
    return command(context, options)


if __name__ == "__main__":
    sys.exit(main())
