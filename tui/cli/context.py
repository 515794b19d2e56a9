"""What every command gets: the project and the clients, made when they are needed."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.experiments import Experiment
    from tui.core.ports import Runner, Store
    from tui.core.runs import Run


@dataclass(frozen=True)
class Context:
    """One invocation of the command line."""

    directory: Path
    """Folder that `-C` names, or the current one."""

    @cached_property
    def store(self) -> "Store":
        """Read side of the project around the directory; UsageError if there is none."""
        from tui.store import GitStore, find_project

        return GitStore(find_project(self.directory))

    @cached_property
    def runner(self) -> "Runner":
        """Write side of the same project."""
        from tui.dvc import DvcRunner

        return DvcRunner(self.store.root)

    def runs(self) -> "Sequence[Run]":
        """Runs whose record exists; where none was ever launched the write side is not even loaded."""
        from tui.dvc import has_runs

        return self.runner.runs() if has_runs(self.store.root) else ()

    def experiments(self) -> "list[Experiment]":
        """All rows, runs that go on included."""
        return self.store.experiments(self.runs())

    def resolve(self, text: str) -> "Experiment":
        """The experiment that the user means."""
        return self.store.resolve(text, self.runs())

    def find_run(self, text: str) -> "Run":
        """The newest run with that id or experiment name, or that made that revision."""
        for run in self.runner.runs():
            if text in {run.id, run.name} or (run.rev and len(text) >= 4 and run.rev.startswith(text)):
                return run
        raise UsageError(f"no run is called {text!r}", hint="see: finetui experiments")
