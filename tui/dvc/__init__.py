"""The write side: the only code that starts git or dvc."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.dvc.runner import DvcRunner

__all__ = ["RUNS", "DvcRunner", "has_runs"]

RUNS = Path(".dvc/tmp/finetui/runs")
"""Where the runs of a project are kept, below its root."""


def has_runs(root: Path) -> bool:
    """Whether there may be runs; for those who would load the runner only to hear that there are none."""
    try:
        return any(not path.name.startswith(".") for path in (root / RUNS).iterdir())
    except OSError:
        return False


def __getattr__(name: str) -> Any:
    """The runner is imported when it is asked for: a supervisor lives in this package, too, and starts without it."""
    if name == "DvcRunner":
        from tui.dvc.runner import DvcRunner

        return DvcRunner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
