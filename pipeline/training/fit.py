"""Runs a trainer of any objective to its end: progress, checkpoints, best weights, proof of what stayed frozen."""

import math
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
from pipeline.training.keeper import Keeper
from pipeline.training.progress import Progress
from pipeline.training.residual import start_along_base
from pipeline.training.resumable import make_resumable
from pipeline.training.samples import Samples
from pipeline.training.watch import Watch, not_finite_message


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
    kept: tuple[str, ...] = ("loss", "num_tokens")
    """Metrics of the training itself whose last values are final ones, without the stage's name."""


def fit(job: Job, plan: Plan, build: Callable[[list[TrainerCallback]], Any]) -> Trained:
    """Build the trainer with our callbacks, train, and tell what came out; StageError for what a user can mend.

    A training that was interrupted goes on from its last checkpoint, and ends as if it had not been.
    """
    watch = Watch(job, plan.params)
    progress = Progress(job, plan.params, plan.names, plan.best, watch, device_name(plan.device))
    trainer = _build(build, progress)
    start_along_base(job, trainer.model, plan.params)
    total, trainable = _num_parameters(trainer.model)
    before = frozen_sha256(trainer.model)
    keeper = _train(job, plan, trainer, progress, watch)
    after = frozen_sha256(trainer.model)
    if before != after:
        raise StageError(f"{job.stage}: weights that are frozen have changed in training; please report this")
    steps = trainer.state.global_step
    metrics = progress.final_metrics(steps, plan.kept)
    _check_best(job, plan, metrics, steps)
    return Trained(
        checkpoint=keeper.best,
        rounded_dtype=plan.rounded_dtype,
        num_parameters=total,
        step=Step(job.stage, job.objective, plan.method, trainable, before, after),
        metrics=metrics,
        resources=progress.resources(steps) | {"peak_memory_bytes": peak_device_memory(plan.device)},
    )


def _build(build: Callable[[list[TrainerCallback]], Any], progress: Progress) -> Any:
    try:
        trainer = build([progress])
    except ValueError as error:
        raise StageError(f"the trainer cannot start with these params: {error}") from error
    trainer.remove_callback(PrinterCallback)
    return make_resumable(trainer)


def _train(job: Job, plan: Plan, trainer: Any, progress: Progress, watch: Watch) -> Keeper:
    """Train to the end, from the last checkpoint if there is one."""
    samples = Samples(job.stage, plan.params.watch, trainer.model, trainer.processing_class, plan.device)
    keeper = Keeper(job, progress, watch, samples, trainer)
    trainer.add_callback(keeper)
    if watch.skips_not_finite:
        trainer.may_update = lambda norm: watch.update(trainer.state.global_step + 1, norm)
    keeper.begin()
    if keeper.is_finished:
        job.recorder.plan(trainer.state.max_steps, device_name(plan.device))
        return keeper
    if plan.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(plan.device)
    with device_memory("this training", _less_memory(job.section)), keeper.ending_at_a_step():
        trainer.train(resume_from_checkpoint=None if keeper.resumed is None else str(keeper.resumed))
    return keeper


def _check_best(job: Job, plan: Plan, metrics: Mapping[str, float], steps: int) -> None:
    """Nothing is handed on that no evaluation has found any good."""
    best = metrics.get(plan.best, math.nan)
    if not math.isfinite(best):
        raise StageError(not_finite_message(plan.best, best, steps, job.section))


def _num_parameters(model: Any) -> tuple[int, int]:
    """All parameters and the trainable ones."""
    parameters: list[torch.nn.Parameter] = list(model.parameters())
    return sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad)


def _less_memory(section: str) -> str:
    return (
        f"lower {section}.batch_size (and raise {section}.gradient_accumulation_steps by as much) or "
        f"{section}.max_length, or set {section}.gradient_checkpointing"
    )
