"""Wires the screens to the clients; nothing else."""

import traceback
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from tui.commands import COMMANDS, bindings
from tui.core.ports import Runner, Store
from tui.messages import ActiveRuns, WorkerCrashed
from tui.screens.base import Bench, WorkerScreen, now
from tui.screens.dialogs import TextDialog
from tui.screens.experiments.screen import ExperimentsScreen
from tui.screens.help import help_text
from tui.settings import Settings, project_settings
from tui.widgets.text import neutral


class FinetuiApp(App[None]):
    """The terminal workbench."""

    TITLE = "finetui"
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"

    def __init__(
        self,
        store: Store,
        runner: Runner,
        settings: Settings,
        read_only: bool = False,
        clock: Callable[[], datetime] = now,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self.bench = Bench(store, runner, settings, read_only, clock)
        self._num_active = 0
        self._last_poll_crash = ""

    def get_default_screen(self) -> Screen[None]:
        """The home screen is at the bottom of the stack."""
        return ExperimentsScreen(self.bench)

    def on_mount(self) -> None:
        """Show the project's colours and keep them."""
        if self.bench.settings.state.theme in self.available_themes:
            self.theme = self.bench.settings.state.theme
        self.theme_changed_signal.subscribe(self, lambda theme: self.bench.settings.update(theme=theme.name))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the palette offers: the commands of the screen, then those of the app."""
        if isinstance(screen, WorkerScreen):
            for command in COMMANDS[screen.scope]:
                if screen.check_action(command.action, ()):
                    yield SystemCommand(command.label, command.help, self._starter(f"screen.{command.action}"))
        for command in COMMANDS["app"]:
            if command.action != "command_palette":
                yield SystemCommand(command.label, command.help, self._starter(f"app.{command.action}"))
        yield SystemCommand("Theme", "Choose the colours", self.action_change_theme)

    def _starter(self, action: str) -> Callable[[], None]:
        def start() -> None:
            self.call_later(self.run_action, action)

        return start

    def action_help_quit(self) -> None:
        """Say which key leaves: ctrl+c is for what was selected."""
        self.notify("q leaves finetui; runs go on without it", title="To quit")

    def action_help(self) -> None:
        """Show the keys of the screen."""
        if isinstance(self.screen, WorkerScreen):
            self.push_screen(TextDialog("Keys", help_text(self.screen)))

    def action_command_log(self) -> None:
        """Show what was run."""
        commands = self.bench.runner.commands()
        text = "\n".join(neutral(command) for command in commands) or "No git or dvc command was run yet."
        self.push_screen(TextDialog("Commands that were run, oldest first", text, at_end=True))

    async def action_quit(self) -> None:
        """Leave; what is running goes on."""
        num = self._num_active
        goes_on = f"{num} run{'s go' if num > 1 else ' goes'} on; finetui shows {'them' if num > 1 else 'it'} again."
        self.exit(message=goes_on if num else None)

    @on(ActiveRuns)
    def _count_runs(self, message: ActiveRuns) -> None:
        self._num_active = message.num_running + message.num_queued

    @on(WorkerCrashed)
    def _show_crash(self, message: WorkerCrashed) -> None:
        text = "".join(traceback.format_exception(message.error))
        if isinstance(self.screen, TextDialog) or (message.is_poll and text == self._last_poll_crash):
            return
        if message.is_poll:
            self._last_poll_crash = text
        title = f"Unexpected error: {type(message.error).__name__} (finetui goes on)"
        self.push_screen(TextDialog(title, neutral(text, multiline=True), is_error=True, at_end=True))


def run_app(directory: Path, read_only: bool = False) -> int:
    """Open the TUI on the project around a directory; UsageError if there is none."""
    from tui.dvc import DvcRunner
    from tui.store import GitStore, find_project

    root = find_project(directory)
    FinetuiApp(GitStore(root, is_live=True), DvcRunner(root), project_settings(root), read_only).run()
    return 0
