"""Adapts the base model: on labels, on a teacher, by merging adapters; or passes it, or the teacher, on untouched."""

from pipeline.contract.main import run_stage

if __name__ == "__main__":
    # Above the libraries: wrong params are told before those are loaded.
    run_stage("pipeline.stages.train")

from pipeline.contract import paths
from pipeline.contract.handing_on import empty_samples, pass_on
from pipeline.contract.launching import is_main_process
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Params
from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder

DIRECTORY = paths.model_dir("train")
_INPUTS = (
    paths.model_dir("base"),
    paths.model_dir("teacher"),
    paths.TEACHER_DIR,
    paths.split_file("train"),
    paths.split_file("validation"),
)


def run(params: Params) -> None:
    """Write data/models/train, data/samples/train and the metrics."""
    objective = params.train.objective
    with StageRecorder("train", seed=params.train.seed) as recorder:
        empty_samples("train")
        if objective in ("none", "teacher"):
            _pass_on(objective, recorder)
        elif objective == "merge":
            _merge(params, recorder)
        else:
            _adapt(params, recorder)


def _pass_on(objective: str, recorder: StageRecorder) -> None:
    """Hand on the base model, or the teacher."""
    manifest = read_manifest(paths.model_dir("base" if objective == "none" else "teacher"))
    if manifest.method == "none":
        raise StageError("train.objective is 'teacher', and there is none: set teacher.source, run dvc repro teacher")
    pass_on(manifest, "train", DIRECTORY)
    recorder.finish({"train/num_steps": 0}, {})


def _merge(params: Params, recorder: StageRecorder) -> None:
    from pipeline.models.quiet import quiet_libraries

    quiet_libraries()
    from pipeline.training.merging import merge_adapters

    base = read_manifest(paths.model_dir("base"))
    merge_adapters(params.train.merge, base, params.base, DIRECTORY, params.train.seed)
    recorder.finish({"train/num_steps": 0}, {})


def _adapt(params: Params, recorder: StageRecorder) -> None:
    """Train the base model on labels, or on what a teacher makes of the prompts."""
    from pipeline.models.quiet import quiet_libraries
    from pipeline.models.seeding import make_deterministic
    from pipeline.training.checkpoints import checkpoint_folder
    from pipeline.training.job import Job

    quiet_libraries()
    from pipeline.training.distill import distil
    from pipeline.training.saving import write_model
    from pipeline.training.sft import fine_tune

    base = read_manifest(paths.model_dir("base"))
    learn = distil if params.train.objective == "distill" else fine_tune
    make_deterministic(params.train.seed, base.num_parameters)
    with checkpoint_folder(params, "train", _INPUTS) as checkpoints:
        job = Job("train", params.train.objective, recorder, checkpoints)
        trained = learn(job, params.train, base, params.base)
        if is_main_process():
            write_model(DIRECTORY, base, trained, params.base.trust_remote_code)
        recorder.finish(trained.metrics, trained.resources)
