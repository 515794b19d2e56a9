"""Runs a trainer of any objective to its end: progress, memory, best checkpoint, proof of what stayed frozen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback

from pipeline.contract.manifest import Step
from pipeline.contract.params import Optimisation
from pipeline.contract.problems import StageError
from pipeline.models.devices import device_memory, device_name, peak_device_memory
from pipeline.training.frozen import frozen_sha256
from pipeline.training.job import Job, Trained
from pipeline.training.progress import Progress


@dataclass(frozen=True, slots=True)
class Plan:
    """What differs between objectives, besides the trainer."""

    params: Optimisation
    """How it is optimised."""
    method: str
    """What is trained, for the manifest."""
    device: torch.device
    """Where the model lies."""
    names: Mapping[str, str]
    """Our names of the metrics that the trainer logs, by the library's."""
    best: str
    """Metric whose best value chooses the checkpoint."""
    rounded_dtype: torch.dtype | None = None
    """Type in which the weights are handed on where that is coarser than the one they are trained in."""


def fit(job: Job, plan: Plan, build: Callable[[list[TrainerCallback]], Any]) -> Trained:
    """Build the trainer with our callbacks, train, and tell what came out; StageError for what a user can mend."""
    progress = Progress(job, plan.params, plan.names, plan.best, device_name(plan.device))
    trainer = _build(build, progress)
    total, trainable = _num_parameters(trainer.model)
    before = frozen_sha256(trainer.model)
    if plan.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(plan.device)
    with device_memory("this training", _less_memory(job.section)):
        trainer.train()
    after = frozen_sha256(trainer.model)
    if before != after:
        raise StageError(f"{job.stage}: weights that are frozen have changed in training; please report this")
    steps = trainer.state.global_step
    resources = progress.resources(steps) | {"peak_memory_bytes": peak_device_memory(plan.device)}
    return Trained(
        checkpoint=job.checkpoints / f"checkpoint-{progress.best_step}",
        rounded_dtype=plan.rounded_dtype,
        num_parameters=total,
        step=Step(job.stage, job.objective, plan.method, trainable, before, after),
        metrics=progress.final_metrics(steps),
        resources=resources,
    )


def _build(build: Callable[[list[TrainerCallback]], Any], progress: Progress) -> Any:
    try:
        trainer = build([progress])
    except ValueError as error:
        raise StageError(f"the trainer cannot start with these params: {error}") from error
    trainer.remove_callback(PrinterCallback)
    return trainer


def _num_parameters(model: Any) -> tuple[int, int]:
    """All parameters and the trainable ones."""
    parameters: list[torch.nn.Parameter] = list(model.parameters())
    return sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad)


def _less_memory(section: str) -> str:
    return (
        f"lower {section}.batch_size (and raise {section}.gradient_accumulation_steps by as much) or "
        f"{section}.max_length, or set {section}.gradient_checkpointing"
    )
