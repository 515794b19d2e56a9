"""Saves a training as it goes, takes it up again, and lets a signal end it at the end of a step."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.contract import paths
from pipeline.contract.main import terminate
from pipeline.training.checkpoint_files import CheckpointFiles
from pipeline.training.job import Job
from pipeline.training.progress import Progress
from pipeline.training.samples import Samples
from pipeline.training.state_files import read_state, write_state
from pipeline.training.watch import Watch

_STATE = "progress"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Keeper(TrainerCallback):
    """Checkpoints at every evaluation; what was recorded, watched and asked so far is a part of them."""

    def __init__(self, job: Job, progress: Progress, watch: Watch, samples: Samples, trainer: Any) -> None:
        self._job, self._progress, self._watch, self._samples = job, progress, watch, samples
        self._trainer = trainer
        self._files = CheckpointFiles(job.checkpoints)
        self._signal: int | None = None
        self.resumed: Path | None = None
        """Checkpoint that the training goes on from."""
        self.is_finished = False
        """Whether that is the last one of the training, so that nothing is left to train."""
        trainer.save_now = self._save

    @property
    def best(self) -> Path:
        """Folder with the weights of the best step."""
        return self._files.best(self._progress.best_step)

    def begin(self) -> None:
        """Go back to the last checkpoint; where there is none, ask for the answers before the first step."""
        step = self._files.last()
        if step is None or not self._is_resumable():
            self._samples.ask(0)
            return
        self.resumed = folder = self._files.state(step)
        state = read_state(folder, _STATE)
        self._progress.restore(state["progress"])
        self._watch.restore(state["watch"])
        self._samples.restore(state["samples"])
        self.is_finished = state["is_finished"]
        self._trainer.state = TrainerState.load_from_json(str(folder / "trainer_state.json"))
        if self.is_finished:
            # What comes after the training may use the model as that left it.
            self._trainer.restore_end(folder)
        recorder = self._job.recorder
        recorder.restore((folder / paths.SERIES_NAME).read_bytes())
        recorder.note(step, "resumed", "note", f"went on from the checkpoint of step {step}")
        self._say(f"goes on from its checkpoint of step {step}")

    @contextmanager
    def ending_at_a_step(self) -> Iterator[None]:
        """Let the first SIGINT or SIGTERM inside wait for the end of the step and a checkpoint, not a second one."""
        alone = self._trainer.args.world_size == 1 and threading.current_thread() is threading.main_thread()
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS} if alone else {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Put back what the trainer has just set to 0."""
        del args, state, control, kwargs
        if self.resumed is not None:
            self._trainer.restore_running(self.resumed)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Save at once when a signal has come."""
        del args, state, kwargs
        control.should_save = control.should_save or self._signal is not None
        return control

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Ask for answers, then save."""
        del args, kwargs
        self._samples.evaluated(state.global_step, is_last=self._is_end())
        control.should_save = True
        return control

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """End here when a signal has come; the next start goes on from what was just saved."""
        del args, state, control, kwargs
        if self._signal is not None:
            _end(self._signal)

    def _save(self) -> None:
        step, best_step = self._trainer.state.global_step, self._progress.best_step
        if best_step == step:
            with self._written(self._files.best(step)) as folder:
                self._trainer.save_model(str(folder), _internal_call=True)
        kept = [self._files.best(best_step)]
        if self._is_resumable():
            with self._written(self._files.state(step), best_step=best_step) as folder:
                self._write_state(folder)
            kept.append(self._files.state(step))
        if self._trainer.args.should_save:
            self._files.keep(*kept)

    def _write_state(self, folder: Path) -> None:
        self._trainer.write_training_state(folder)
        if not self._trainer.args.should_save:
            return
        state = {
            "progress": self._progress.state(),
            "watch": self._watch.state(),
            "samples": self._samples.state(),
            "is_finished": self._is_end(),
        }
        write_state(folder, _STATE, state)
        (folder / paths.SERIES_NAME).write_bytes(self._job.recorder.series())

    @contextmanager
    def _written(self, folder: Path, **facts: int) -> Iterator[Path]:
        """A folder that every process writes into; complete once all of them have."""
        trainer = self._trainer
        if trainer.args.should_save:
            self._files.begin(folder)
        trainer.accelerator.wait_for_everyone()
        yield folder
        trainer.accelerator.wait_for_everyone()
        if trainer.args.should_save:
            self._files.complete(folder, **facts)

    def _is_end(self) -> bool:
        state = self._trainer.state
        return bool(state.global_step >= state.max_steps or self._watch.stopped)

    def _is_resumable(self) -> bool:
        """Sharded weights and moments would have to be gathered: such a training starts anew."""
        return not self._trainer.is_fsdp_enabled

    def _on_signal(self, number: int, _frame: object) -> None:
        if self._signal is not None:
            _end(number)
        self._signal = number
        self._say("ends after this step, and saves a checkpoint")

    def _say(self, text: str) -> None:
        sys.stdout.write(f"{self._job.stage}: {text}\n")
        sys.stdout.flush()


def _end(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    terminate(number, None)
