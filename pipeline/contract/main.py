"""How a stage is started: params are checked first, expected failures are one message, the exit code tells which."""

import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn

from pipeline.contract.environment import QUIET_ENVIRONMENT
from pipeline.contract.launching import begin_process, is_started, launch, parallel_training
from pipeline.contract.loading import load_params
from pipeline.contract.problems import ParamsError, StageError


def run_stage(module: str) -> NoReturn:
    """Run a stage's module as a program: exit code 0 done, 1 failed, 2 wrong params, 130 or 143 cancelled.

    The module is imported after the check: loading the libraries takes seconds, telling a typing error need not.
    Where params ask for several processes, this one starts them and does nothing else.
    """
    name = module.rpartition(".")[2]
    for variable, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    signal.signal(signal.SIGTERM, terminate)
    if is_started():
        begin_process()
    try:
        params = load_params()
        training = parallel_training(params, name)
        if training is not None and not is_started():
            sys.exit(launch(module, training.num_processes))
        import_module(module).run(params)
    except ParamsError as error:
        _stop(name, str(error), 2)
    except (StageError, OSError) as error:
        _stop(name, str(error), 1)
    except KeyboardInterrupt:
        _stop(name, "cancelled", 128 + signal.SIGINT)
    except SystemExit as end:
        if end.code != 128 + signal.SIGTERM:
            raise
        _stop(name, "cancelled", 128 + signal.SIGTERM)
    sys.exit()


def terminate(number: int, _frame: FrameType | None) -> NoReturn:
    """Handler of a signal that ends the process: everything on the way out is cleaned up."""
    raise SystemExit(128 + number)


def _stop(name: str, text: str, code: int) -> NoReturn:
    lines = "\n".join(f"{name}: {line}" for line in text.splitlines())
    sys.stderr.write(lines + "\n")
    sys.exit(code)
