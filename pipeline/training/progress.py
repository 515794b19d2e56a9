"""Feeds the recorder from the trainer: the one place where the libraries' metric names become ours."""

import math
import sys
import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder

_NAMES = {
    "loss": "train/loss",
    "grad_norm": "train/grad_norm",
    "learning_rate": "train/learning_rate",
    "mean_token_accuracy": "train/token_accuracy",
    "num_tokens": "train/num_tokens",
    "eval_loss": "validation/loss",
    "eval_mean_token_accuracy": "validation/token_accuracy",
}


def translate(logs: dict[str, Any]) -> dict[str, float]:
    """Metrics of one log line under our names; what has none is left out."""
    metrics = {ours: float(logs[theirs]) for theirs, ours in _NAMES.items() if theirs in logs}
    if "train/loss" in metrics and "epoch" in logs:
        metrics["train/epoch"] = float(logs["epoch"])
    return metrics


class Progress(TrainerCallback):
    """Records points, asks for evaluation at equal shares of the steps, and stops when the loss is no number."""

    def __init__(self, recorder: StageRecorder, eval_fraction: float, device_name: str) -> None:
        self._recorder = recorder
        self._eval_fraction = eval_fraction
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
        """Step with the lowest validation loss."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Announce the number of steps."""
        del args, control, kwargs
        self._interval = max(1, round(state.max_steps * self._eval_fraction))
        self._recorder.plan(state.max_steps, self._device_name)
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

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Record one point."""
        del args, control, kwargs
        metrics = translate(logs or {})
        if not metrics:
            return
        if "train/num_tokens" in metrics and "train/loss" in metrics:
            metrics["train/tokens_per_second"] = self._throughput(metrics["train/num_tokens"])
        self._recorder.log(state.global_step, metrics)
        self.last.update(metrics)
        _check_finite(metrics, state.global_step)
        if "validation/loss" in metrics:
            self._evaluated(state, metrics)

    def _throughput(self, num_tokens: float) -> float:
        elapsed, seen = time.monotonic() - self._clock, num_tokens - self._num_tokens
        self.training_time_s += elapsed
        self._clock, self._num_tokens = time.monotonic(), num_tokens
        return round(seen / elapsed, 1) if elapsed > 0 else math.nan

    def _evaluated(self, state: TrainerState, metrics: dict[str, float]) -> None:
        self._clock = time.monotonic()
        loss = metrics["validation/loss"]
        if not self.best or loss < self.best["validation/loss"]:
            self.best, self.best_step = metrics, state.global_step
        train_loss = self.last.get("train/loss", math.nan)
        sys.stdout.write(
            f"train: step {state.global_step} of {state.max_steps}, loss {train_loss:.4f}, validation loss {loss:.4f}\n"
        )
        sys.stdout.flush()


def _check_finite(metrics: dict[str, float], step: int) -> None:
    for name in ("train/loss", "train/grad_norm", "validation/loss"):
        if not math.isfinite(metrics.get(name, 0.0)):
            raise StageError(
                f"{name} is {metrics[name]} at step {step}; "
                "lower train.learning_rate, or raise train.warmup_fraction, or clip harder with train.max_grad_norm"
            )
