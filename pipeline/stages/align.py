"""Aligns the trained model with comparisons of answers or with rewards; or passes it on untouched."""

from pipeline.contract.main import run_stage

if __name__ == "__main__":
    # Above the libraries: wrong params are told before those are loaded.
    run_stage("pipeline.stages.align")

from typing import TYPE_CHECKING

from pipeline.contract import paths
from pipeline.contract.manifest import Manifest, read_manifest
from pipeline.contract.params import Params
from pipeline.contract.recorder import StageRecorder
from pipeline.models.devices import device_name, pick_device
from pipeline.models.quiet import quiet_libraries
from pipeline.models.seeding import make_deterministic
from pipeline.training.checkpoints import checkpoint_dir, remove_checkpoints, sweep_checkpoints
from pipeline.training.job import Job, Trained
from pipeline.training.saving import passed_on, write_model

if TYPE_CHECKING:
    from pipeline.training.policy_start import PolicyStart

DIRECTORY = paths.model_dir("align")


def run(params: Params) -> None:
    """Write data/models/align and its metrics."""
    with StageRecorder("align", seed=params.align.seed) as recorder:
        start = read_manifest(paths.model_dir("train"))
        if params.align.objective == "none":
            _pass_on(start, recorder)
        else:
            _align(params, start, recorder)


def _pass_on(start: Manifest, recorder: StageRecorder) -> None:
    passed_on(start, "align", DIRECTORY)
    recorder.finish({"align/num_steps": 0}, {})


def _align(params: Params, start: Manifest, recorder: StageRecorder) -> None:
    quiet_libraries()
    from pipeline.training.policy_start import start_policy

    make_deterministic(params.align.seed, start.num_parameters)
    checkpoints = checkpoint_dir(params, device_name(pick_device()))
    sweep_checkpoints()
    job = Job("align", params.align.objective, recorder, checkpoints)
    policy = start_policy(params.align, start, params.base)
    trained = _learn(params, job, policy)
    write_model(DIRECTORY, policy.manifest, trained, params.base.trust_remote_code)
    remove_checkpoints(checkpoints)
    recorder.finish(trained.metrics, trained.resources)


def _learn(params: Params, job: Job, policy: "PolicyStart") -> Trained:
    from pipeline.evals.rewards import format_check
    from pipeline.training.preference import learn_preferences

    return learn_preferences(job, params.align, policy, format_check(params.align.rewards))
