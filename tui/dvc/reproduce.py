"""The process that runs DVC in the clone: `python -m tui.dvc.reproduce RUN_DIRECTORY`.

It leads the process group of the stages and leaves its exit code in a file, so that nobody needs to wait for it.
"""

import os
import signal
import sys
from importlib import import_module
from pathlib import Path

from pipeline.contract.files import write_text
from tui.dvc.record import RunFiles, read_spec
from tui.dvc.runcache import leave_others_entries_alone

_INTERRUPTED = 252
"""What DVC's command line returns after a SIGINT (DVC 3.67)."""


def main() -> int:
    """Get the outputs that the snapshot's dvc.lock names out of the cache, then run what is not up to date."""
    files = RunFiles(Path(sys.argv[1]))
    spec = read_spec(files)
    if spec is None:
        return 2
    dvc = import_module("dvc.cli").main
    leave_others_entries_alone()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would start with it ignored
    os.chdir(files.clone / spec.prefix)
    code: int = dvc(["checkout", "--quiet", "--force", "--allow-missing"])
    if code != _INTERRUPTED:  # what else went wrong, the run itself will meet and tell
        code = dvc(spec.arguments())
    sys.stdout.flush()
    write_text(files.exit_code, f"{code}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
