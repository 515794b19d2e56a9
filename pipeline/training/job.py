"""What all trainings share: which stage trains, where it records and where its checkpoints lie; and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.contract.manifest import Step
from pipeline.contract.recorder import StageRecorder


@dataclass(frozen=True, slots=True)
class Job:
    """One training of one stage."""

    stage: str
    """Stage that trains; its name comes before those of its metrics."""
    objective: str
    """What is learned, for the manifest."""
    recorder: StageRecorder
    """Where points and events go."""
    checkpoints: Path
    """Folder for checkpoints, of this very training alone."""

    @property
    def section(self) -> str:
        """Where its params are, for messages."""
        return "teacher.train" if self.stage == "teacher" else self.stage

    @property
    def validation(self) -> str:
        """First part of the names of metrics on the validation split; those of `train` are simply its own."""
        return "validation" if self.stage == "train" else f"{self.stage}_validation"

    def names(self) -> dict[str, str]:
        """Our names for what every trainer logs, by the library's."""
        return {
            "loss": f"{self.stage}/loss",
            "grad_norm": f"{self.stage}/grad_norm",
            "learning_rate": f"{self.stage}/learning_rate",
            "mean_token_accuracy": f"{self.stage}/token_accuracy",
            "num_tokens": f"{self.stage}/num_tokens",
            "epoch": f"{self.stage}/epoch",
            "eval_loss": f"{self.validation}/loss",
            "eval_mean_token_accuracy": f"{self.validation}/token_accuracy",
        }

    def split_names(self, names: Mapping[str, str]) -> dict[str, str]:
        """Our names for what one trainer logs of both splits: `rewards/margins` -> `align/margin` and so on."""
        own = {theirs: f"{self.stage}/{ours}" for theirs, ours in names.items()}
        return own | {f"eval_{theirs}": f"{self.validation}/{ours}" for theirs, ours in names.items()}


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training leaves behind."""

    checkpoint: Path
    """Folder with the weights of the best step."""
    rounded_dtype: torch.dtype | None
    """Type in which the weights are handed on where that is coarser than the checkpoint's."""
    num_parameters: int
    """All parameters, the adapter's included."""
    step: Step
    """The training as the manifest tells it."""
    metrics: dict[str, float]
    """Final scalars that params and seed decide."""
    resources: dict[str, float | int | None]
    """Final scalars that the machine decides."""
