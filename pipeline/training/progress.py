"""Feeds the recorder from the trainer: library names become ours, evaluations come at equal shares of the steps."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.contract.metrics import direction
from pipeline.contract.params import Optimisation
from pipeline.training.job import Job
from pipeline.training.shared_rows import of_main_process
from pipeline.training.watch import Watch

_KEPT = ("last", "best", "best_step", "training_time_s", "_num_tokens")


class Progress(TrainerCallback):
    """Records points, asks for evaluation at equal shares of the steps, and knows the best step."""

    def __init__(
        self, job: Job, params: Optimisation, names: Mapping[str, str], best: str, watch: Watch, device_name: str
    ) -> None:
        self._job, self._params, self._names, self._best_name = job, params, names, best
        self._watch = watch
        self._device_name = device_name
        self._interval = 1
        self._num_tokens = 0.0
        self._clock = 0.0
        self.training_time_s = 0.0
        """Time spent in training steps, evaluations left out."""
        self.last: dict[str, float] = {}
        """Last value of every metric."""
        self.best: dict[str, float] = {}
        """Validation metrics of the best step."""
        self.best_step = 0
        """Step with the best value of the chosen metric."""

    def state(self) -> dict[str, Any]:
        """Everything recorded so far, for a checkpoint."""
        return {name: getattr(self, name) for name in _KEPT}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        for name in _KEPT:
            setattr(self, name, state[name])

    def final_metrics(self, num_steps: int, kept: Sequence[str]) -> dict[str, float]:
        """Scalars that params and seed decide; of the training's own metrics the last values of those kept."""
        stage = self._job.stage
        last = {f"{stage}/{name}": self.last[f"{stage}/{name}"] for name in kept if f"{stage}/{name}" in self.last}
        return (
            last
            | self.best
            | {f"{stage}/best_step": self.best_step, f"{stage}/num_steps": num_steps}
            | {f"{stage}/num_events": self._watch.num_events, f"{stage}/stopped_early": int(self._watch.stopped)}
        )

    def resources(self, num_steps: int) -> dict[str, float | int | None]:
        """Scalars that the machine decides."""
        seconds = self.training_time_s or math.nan
        speed: dict[str, float | int | None] = {"steps_per_second": round(num_steps / seconds, 3)}
        num_tokens = self.last.get(f"{self._job.stage}/num_tokens")
        return speed if num_tokens is None else speed | {"tokens_per_second": round(num_tokens / seconds, 1)}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Announce the number of steps."""
        del args, control, kwargs
        self._interval = max(1, round(state.max_steps * self._params.eval_fraction))
        self._job.recorder.plan(state.max_steps, self._device_name)
        self._clock = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Evaluate at equal shares of the steps and at the last one, which is also logged."""
        del args, kwargs
        is_last = state.global_step >= state.max_steps
        control.should_log = control.should_log or is_last
        if is_last or state.global_step % self._interval == 0:
            control.should_evaluate = True
            control.should_log = True
        return control

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Leave evaluation, answers and saving out of the training's speed."""
        del args, state, control, kwargs
        self._clock = time.monotonic()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Record one point, and end the training when something seen in it says so."""
        del args, kwargs
        # The best step and the end are decided in each process, and all wait for each other there.
        metrics = of_main_process(self._translate(logs or {}))
        if not metrics:
            return
        stage = self._job.stage
        if f"{stage}/loss" in metrics:
            metrics |= self._throughput(metrics)
        self._job.recorder.log(state.global_step, metrics)
        self.last.update(metrics)
        if any(name.startswith(f"{self._job.validation}/") for name in metrics):
            self._watch.evaluation(state.global_step, metrics, self.last)
            self._evaluated(state, metrics)
        else:
            self._watch.point(state.global_step, metrics)
            # What ends here is evaluated, so that there is a best step and a checkpoint of this one.
            control.should_evaluate = control.should_evaluate or self._watch.stopped
        control.should_training_stop = control.should_training_stop or self._watch.stopped

    def _translate(self, logs: dict[str, Any]) -> dict[str, float]:
        """Metrics of one log line under our names; what has none is left out."""
        metrics = {self._names[name]: float(value) for name, value in logs.items() if name in self._names}
        if f"{self._job.stage}/loss" not in metrics:
            metrics.pop(f"{self._job.stage}/epoch", None)
        return metrics

    def _throughput(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Tokens per second since the last such line, where the trainer counts tokens."""
        now = time.monotonic()
        elapsed, self._clock = now - self._clock, now
        self.training_time_s += elapsed
        num_tokens = metrics.get(f"{self._job.stage}/num_tokens")
        if num_tokens is None:
            return {}
        seen, self._num_tokens = num_tokens - self._num_tokens, num_tokens
        return {f"{self._job.stage}/tokens_per_second": round(seen / elapsed, 1) if elapsed > 0 else math.nan}

    def _evaluated(self, state: TrainerState, metrics: dict[str, float]) -> None:
        value = metrics.get(self._best_name)
        if value is not None and (not self.best or self._is_better(value)):
            self.best = {name: value for name, value in metrics.items() if name.startswith(self._job.validation)}
            self.best_step = state.global_step
        loss = self.last.get(f"{self._job.stage}/loss", math.nan)
        name = self._best_name.replace("/", " ").replace("_", " ")
        shown = math.nan if value is None else value
        sys.stdout.write(
            f"{self._job.stage}: step {state.global_step} of {state.max_steps}, loss {loss:.4f}, {name} {shown:.4f}\n"
        )
        sys.stdout.flush()

    def _is_better(self, value: float) -> bool:
        best = self.best[self._best_name]
        if not math.isfinite(best):
            return math.isfinite(value)
        # Shares of right answers are coarse: of equal ones the later has learned more.
        return value >= best if direction(self._best_name) == "higher" else value < best
