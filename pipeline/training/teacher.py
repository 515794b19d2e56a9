"""Makes the teacher: materialised like a base model, then adapted to the task."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.contract import paths
from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Base, Params
from pipeline.contract.recorder import StageRecorder
from pipeline.models.devices import device_name, pick_device
from pipeline.models.origin import Documents, materialise
from pipeline.models.seeding import make_deterministic
from pipeline.training.checkpoints import checkpoint_dir, remove_checkpoints, sweep_checkpoints
from pipeline.training.job import Job, Trained
from pipeline.training.saving import write_model
from pipeline.training.sft import fine_tune

DIRECTORY = paths.model_dir("teacher")
_UNADAPTED = "base"


@dataclass(frozen=True, slots=True)
class Made:
    """The teacher, ready to answer."""

    manifest: Manifest
    """Where its files lie."""
    metrics: dict[str, float]
    """Final scalars that params and seed decide."""
    resources: dict[str, float | int | None]
    """Final scalars that the machine decides."""


def origin_of(params: Params) -> Base:
    """The section `teacher` as the params of a base model."""
    teacher = params.teacher
    return Base(
        source=teacher.source,
        revision=teacher.revision,
        trust_remote_code=params.base.trust_remote_code,
        starter=teacher.starter,
        seed=teacher.seed,
    )


def make_teacher(params: Params, documents: Documents, recorder: StageRecorder, num_after: int) -> Made:
    """Fill data/models/teacher; `num_after` steps of the stage will follow."""
    origin = origin_of(params)
    if params.teacher.objective == "none":
        recorder.begin_part(0, num_after)
        manifest, metrics = materialise("teacher", origin, DIRECTORY, documents, recorder)
        return Made(manifest, metrics, {})
    checkpoints = checkpoint_dir(params, device_name(pick_device()))
    sweep_checkpoints()
    start_dir = checkpoints.with_name(f"{checkpoints.name}-{_UNADAPTED}")
    recorder.begin_part(0, num_after)
    start, metrics = materialise("teacher", origin, start_dir, documents, recorder)
    recorder.begin_part(recorder.record.step or 0, num_after)
    make_deterministic(params.teacher.train.seed, start.num_parameters)
    trained = fine_tune(Job("teacher", "sft", recorder, checkpoints), params.teacher.train, start, origin)
    manifest = _write(start, start_dir, trained, origin)
    remove_checkpoints(checkpoints)
    return Made(manifest, metrics | trained.metrics, trained.resources)


def _write(start: Manifest, start_dir: Path, trained: Trained, origin: Base) -> Manifest:
    """Write the adapted teacher; what an adapter lies on moves into its folder, else it is no longer needed."""
    if trained.step.method == "full":
        manifest = write_model(DIRECTORY, start, trained, origin.trust_remote_code)
        shutil.rmtree(start_dir)
        return manifest
    place = DIRECTORY / _UNADAPTED
    moved = replace(start, weights=place.as_posix(), tokenizer=place.as_posix())
    manifest = write_model(DIRECTORY, moved, trained, origin.trust_remote_code)
    shutil.move(start_dir, place)
    moved.write(place)
    return manifest
