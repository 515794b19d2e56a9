"""How a stage is started: params are checked first, expected failures are one message, the exit code tells which."""

import os
import sys
from collections.abc import Callable

from pipeline.contract.loading import load_params
from pipeline.contract.params import Params
from pipeline.contract.problems import ParamsError, StageError

# Nothing that we run reports home; set before any library reads it.
QUIET_ENVIRONMENT = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "DVC_NO_ANALYTICS": "1"}


def run_stage(name: str, run: Callable[[Params], None]) -> None:
    """Run a stage as a program: exit code 0 done, 1 failed, 2 wrong params."""
    for variable, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    try:
        run(load_params())
    except ParamsError as error:
        _stop(name, error, 2)
    except (StageError, OSError) as error:
        _stop(name, error, 1)


def _stop(name: str, error: Exception, code: int) -> None:
    lines = "\n".join(f"{name}: {line}" for line in str(error).splitlines())
    sys.stderr.write(lines + "\n")
    sys.exit(code)
