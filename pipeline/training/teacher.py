"""Makes the teacher: materialised like a base model, then adapted to the task."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.contract import paths
from pipeline.contract.files import write_json
from pipeline.contract.manifest import Manifest, read_manifest
from pipeline.contract.params import Base, Params
from pipeline.contract.recorder import StageRecorder
from pipeline.models.origin import Documents, materialise
from pipeline.models.seeding import make_deterministic
from pipeline.training.checkpoint_files import CheckpointFiles
from pipeline.training.checkpoints import checkpoint_folder
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


@contextmanager
def make_teacher(params: Params, documents: Documents, recorder: StageRecorder, num_after: int) -> Iterator[Made]:
    """Fill data/models/teacher; `num_after` steps of the stage follow inside, and a kill there repeats no training."""
    origin = origin_of(params)
    if params.teacher.objective == "none":
        recorder.begin_part(0, num_after)
        manifest, metrics = materialise("teacher", origin, DIRECTORY, documents, recorder)
        recorder.begin_part(recorder.record.step or 0, 0)
        yield Made(manifest, metrics, {})
        return
    with checkpoint_folder(
        params, "teacher", [paths.split_file("train"), paths.split_file("validation")]
    ) as checkpoints:
        recorder.begin_part(0, num_after)
        yield _adapt(params, checkpoints, documents, recorder, num_after)


def _adapt(params: Params, checkpoints: Path, documents: Documents, recorder: StageRecorder, num_after: int) -> Made:
    origin = origin_of(params)
    start, metrics = _start(origin, checkpoints, documents, recorder)
    num_before = recorder.record.step or 0
    recorder.begin_part(num_before, num_after)
    make_deterministic(params.teacher.train.seed, start.num_parameters)
    job = Job("teacher", "sft", recorder, _folder_of(start, checkpoints))
    trained = fine_tune(job, params.teacher.train, start, origin)
    recorder.begin_part(num_before + int(trained.metrics["teacher/num_steps"]), 0)
    manifest = _write(start, checkpoints / _UNADAPTED, trained, origin)
    return Made(manifest, metrics | trained.metrics, trained.resources)


def _folder_of(start: Manifest, checkpoints: Path) -> Path:
    """A source outside the project may change: a checkpoint belongs to one start."""
    return checkpoints / start.weights_sha256


def _start(
    origin: Base, checkpoints: Path, documents: Documents, recorder: StageRecorder
) -> tuple[Manifest, dict[str, float]]:
    """The model before its adaptation; what was pretrained before an interruption is taken up again."""
    directory, memory = checkpoints / _UNADAPTED, checkpoints / "pretrained.json"
    if origin.source == "starter" and memory.is_file():
        start, known = read_manifest(directory), json.loads(memory.read_bytes())
        recorder.record.step = known["step"]
        if CheckpointFiles(_folder_of(start, checkpoints)).last() is None:
            # A checkpoint holds the whole series.
            recorder.restore(known["series"].encode())
        return start, known["metrics"]
    start, metrics = materialise("teacher", origin, directory, documents, recorder)
    write_json(memory, {"step": recorder.record.step, "metrics": metrics, "series": recorder.series().decode()})
    return start, metrics


def _write(start: Manifest, start_dir: Path, trained: Trained, origin: Base) -> Manifest:
    """Write the adapted teacher, with what an adapter lies on in its folder."""
    if trained.step.method == "full":
        return write_model(DIRECTORY, start, trained, origin.trust_remote_code)
    place = DIRECTORY / _UNADAPTED
    moved = replace(start, weights=place.as_posix(), tokenizer=place.as_posix())
    manifest = write_model(DIRECTORY, moved, trained, origin.trust_remote_code)
    if origin.source == "starter":
        # Small, and after a kill it would have to be pretrained again; any other source is taken anew.
        shutil.copytree(start_dir, place)
    else:
        shutil.move(start_dir, place)
    moved.write(place)
    return manifest
