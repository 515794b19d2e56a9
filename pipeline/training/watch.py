"""Watches the figures of a training as its params ask: events in the series, and the end of the training where due."""

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipeline.contract.metrics import direction
from pipeline.contract.params import Optimisation
from pipeline.contract.problems import StageError
from pipeline.training.detectors import EarlyStopping, Limit, Overfitting, RewardCollapse, Spike
from pipeline.training.job import Job


class Watch:
    """The detectors of one training; `stopped` tells whether one of them has ended it."""

    def __init__(self, job: Job, params: Optimisation) -> None:
        self._job, self._section = job, job.section
        self._params = params.watch
        watch, stage = params.watch, job.stage
        self._loss, self._validation_loss = f"{stage}/loss", f"{job.validation}/loss"
        self._validation_kl = f"{job.validation}/kl"
        self._detectors: dict[str, Any] = {
            "overfitting": Overfitting(watch.overfitting_patience),
            "spike": Spike(watch.spike_factor),
            "reward_collapse": RewardCollapse(),
            # The exact one: what is estimated from samples in between jumps about.
            "kl": Limit(self._validation_kl, watch.max_kl),
        }
        if watch.early_stopping_metric is not None:
            self._detectors["early_stopping"] = self._early_stopping(watch.early_stopping_metric)
        self._losses: list[float] = []
        self._is_skipping = False
        self.num_events = 0
        """Events so far."""
        self.stopped = False
        """Whether a detector has ended the training."""

    def point(self, step: int, metrics: Mapping[str, float]) -> None:
        """Look at a point of the training itself."""
        self._check_finite(step, metrics)
        if self._loss in metrics:
            self._losses.append(metrics[self._loss])
            self._see(step, "spike", metrics[self._loss])
        zero_spread = metrics.get(f"{self._job.stage}/zero_spread")
        if zero_spread is not None:
            self._see(step, "reward_collapse", zero_spread)

    def evaluation(self, step: int, metrics: Mapping[str, float], last: Mapping[str, float]) -> None:
        """Look at an evaluation; `last` holds the last value of every metric so far."""
        self._check_finite(step, metrics)
        if self._validation_loss in metrics and self._losses:
            self._see(step, "overfitting", sum(self._losses) / len(self._losses), metrics[self._validation_loss])
        self._losses = []
        if self._validation_kl in metrics:
            self._see(step, "kl", metrics[self._validation_kl])
        metric = self._params.early_stopping_metric
        if metric is None:
            return
        if metric not in last:
            raise StageError(
                f"{self._section}.watch.early_stopping_metric is {metric!r}, which this training does not log; "
                f"it logs {', '.join(sorted(last))}"
            )
        self._see(step, "early_stopping", last[metric])

    @property
    def skips_not_finite(self) -> bool:
        """Whether an update whose gradient is not finite is left out."""
        return self._params.not_finite == "warn"

    def update(self, step: int, grad_norm: float) -> bool:
        """Whether this update may be made; to be asked only where such updates are left out."""
        skips = not math.isfinite(grad_norm)
        if skips and not self._is_skipping:
            self._note(
                step, "not_finite", "warn", f"the gradient norm is {grad_norm}; updates are left out until it is finite"
            )
        self._is_skipping = skips
        return not skips

    def state(self) -> dict[str, Any]:
        """Everything seen so far, for a checkpoint."""
        return {
            "detectors": {name: asdict(detector) for name, detector in self._detectors.items()},
            "losses": self._losses,
            "is_skipping": self._is_skipping,
            "num_events": self.num_events,
            "stopped": self.stopped,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        for name, fields in state["detectors"].items():
            self._detectors[name] = type(self._detectors[name])(**fields)
        self._losses, self._is_skipping = state["losses"], state["is_skipping"]
        self.num_events, self.stopped = state["num_events"], state["stopped"]

    def _early_stopping(self, metric: str) -> EarlyStopping:
        way = direction(metric)
        if way == "none":
            raise StageError(
                f"{self._section}.watch.early_stopping_metric is {metric!r}: neither higher nor lower is better there; "
                f"name another metric, such as {self._validation_loss}"
            )
        watch = self._params
        return EarlyStopping(metric, way == "higher", watch.early_stopping_patience, watch.early_stopping_min_change)

    def _see(self, step: int, name: str, *values: float) -> None:
        message = self._detectors[name].see(*values)
        action = getattr(self._params, name, "stop")
        if message is None or action == "off":
            return
        self._note(step, name, action, message)
        self.stopped = self.stopped or action == "stop"

    def _note(self, step: int, event: str, action: str, message: str) -> None:
        self.num_events += 1
        self._job.recorder.note(step, event, action, message)
        words = event.replace("_", " ")
        end = "; the training ends here" if action == "stop" else ""
        sys.stdout.write(f"{self._job.stage}: step {step}: {words}: {message}{end}\n")
        sys.stdout.flush()

    def _check_finite(self, step: int, metrics: Mapping[str, float]) -> None:
        """End the training over a figure that is no number, unless its update was left out."""
        names = [
            name for name in (self._loss, f"{self._job.stage}/grad_norm", self._validation_loss) if name in metrics
        ]
        bad = [name for name in names if not math.isfinite(metrics[name])]
        if not bad or self.skips_not_finite:
            return
        message = not_finite_message(bad[0], metrics[bad[0]], step, self._section)
        self._note(step, "not_finite", "stop", message)
        raise StageError(message)


def not_finite_message(name: str, value: float, step: int, section: str) -> str:
    """What is wrong, and what helps."""
    return (
        f"{name} is {value} at step {step}; lower {section}.learning_rate, "
        f"or raise {section}.warmup_fraction, or clip harder with {section}.max_grad_norm"
    )
