"""Adapts the base model on the prepared rows: supervised, every weight or an adapter; or passes it on untouched."""

from pipeline.contract.main import run_stage

if __name__ == "__main__":
    # Above the libraries: wrong params are told before those are loaded.
    run_stage("pipeline.stages.train")

from pipeline.contract import paths
from pipeline.contract.manifest import Manifest, read_manifest
from pipeline.contract.params import Params
from pipeline.contract.recorder import StageRecorder
from pipeline.models.devices import device_name, pick_device
from pipeline.models.quiet import quiet_libraries
from pipeline.models.seeding import make_deterministic
from pipeline.training.checkpoints import checkpoint_dir, remove_checkpoints, sweep_checkpoints
from pipeline.training.job import Job
from pipeline.training.saving import passed_on, write_model

DIRECTORY = paths.model_dir("train")


def run(params: Params) -> None:
    """Write data/models/train and its metrics."""
    with StageRecorder("train", seed=params.train.seed) as recorder:
        base = read_manifest(paths.model_dir("base"))
        if params.train.objective == "none":
            _pass_on(base, recorder)
        else:
            _adapt(params, base, recorder)


def _pass_on(base: Manifest, recorder: StageRecorder) -> None:
    passed_on(base, "train", DIRECTORY)
    recorder.finish({"train/num_steps": 0}, {})


def _adapt(params: Params, base: Manifest, recorder: StageRecorder) -> None:
    quiet_libraries()
    from pipeline.training.sft import fine_tune

    make_deterministic(params.train.seed, base.num_parameters)
    checkpoints = checkpoint_dir(params, device_name(pick_device()))
    sweep_checkpoints()
    job = Job("train", params.train.objective, recorder, checkpoints)
    trained = fine_tune(job, params.train, base, params.base)
    write_model(DIRECTORY, base, trained, params.base.trust_remote_code)
    remove_checkpoints(checkpoints)
    recorder.finish(trained.metrics, trained.resources)
