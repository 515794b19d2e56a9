"""What can be done with one experiment on every screen that has one chosen: stop its run, copy its names."""

from textual import on, work
from textual.message import Message

from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.screens.base import PollingScreen
from tui.screens.dialogs import Confirm
from tui.widgets.text import neutral


class ActingScreen(PollingScreen[None]):
    """Stop and copy; `chosen` says for which experiment."""

    class Stopped(Message):
        """A run was asked to stop, or could not be."""

        def __init__(self, name: str, error: UserError | None) -> None:
            super().__init__()
            self.name, self.error = name, error

    def chosen(self) -> Experiment | None:
        """The experiment that keys act on."""
        raise NotImplementedError

    def stoppable(self) -> str | None:
        """Id of its run, if that goes on."""
        raise NotImplementedError

    def is_available(self, action: str) -> bool:
        """Only a run that goes on can be stopped; of those that DVC owns it is said how."""
        if action == "stop":
            return self.stoppable() is not None or self._how_dvc_ends_it() is not None
        return super().is_available(action)

    def action_stop(self) -> None:
        """Stop the run after a question."""
        experiment, run_id = self.chosen(), self.stoppable()
        advice = self._how_dvc_ends_it()
        if advice is not None:
            self.notify(advice, title="Not a run of finetui", timeout=10, markup=False)
        if experiment is None or run_id is None:
            return
        name = neutral(experiment.label)

        def stop(answer: bool | None) -> None:
            if answer:
                self._stop(name, run_id)

        effect = f"{name} ends as cancelled. Its metrics so far, its params and its log are kept."
        self.app.push_screen(Confirm("Stop this run?", effect, "Stop it"), stop)

    def _how_dvc_ends_it(self) -> str | None:
        """The command for a row that DVC runs or has in its queue; None for any other."""
        one = self.chosen()
        if one is None or one.kind != "experiment" or one.run_id is not None or self.stoppable() is not None:
            return None
        name = neutral(one.label)
        if one.status == "queued":
            return f"{name} is in DVC's own queue; this takes it out: dvc queue remove {name}"
        if one.status == "running":
            return f"DVC runs {name}; this stops it if its queue started it: dvc queue kill {name}"
        return None

    @work(thread=True, group="stop", exit_on_error=False)
    def _stop(self, name: str, run_id: str) -> None:
        try:
            self.bench.runner.stop(run_id)
        except UserError as error:
            self.post_message(self.Stopped(name, error))
        else:
            self.post_message(self.Stopped(name, None))

    @on(Stopped)
    def _after_stop(self, message: Stopped) -> None:
        if message.error is None:
            self.notify(f"Asked {message.name} to stop", markup=False)
            self.action_reload()
        else:
            self.notify(neutral(str(message.error)), severity="error", markup=False)

    def action_copy_rev(self) -> None:
        """Copy the full SHA."""
        self._copy("rev")

    def action_copy_name(self) -> None:
        """Copy the name."""
        self._copy("label")

    def _copy(self, attribute: str) -> None:
        experiment = self.chosen()
        if experiment is not None:
            text: str = getattr(experiment, attribute)
            self.app.copy_to_clipboard(text)
            self.notify(f"Copied {neutral(text)}", markup=False)
