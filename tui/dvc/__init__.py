"""The write side: the only code that starts git or dvc."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.dvc.runner import DvcRunner

__all__ = ["DvcRunner"]


def __getattr__(name: str) -> Any:
    """The runner is imported when it is asked for: a supervisor lives in this package, too, and starts without it."""
    if name == "DvcRunner":
        from tui.dvc.runner import DvcRunner

        return DvcRunner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
