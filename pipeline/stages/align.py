"""Aligns the trained model with comparisons of answers or with rewards; or passes it on untouched."""

from pipeline.contract.main import run_stage

if __name__ == "__main__":
    # Above the libraries: wrong params are told before those are loaded.
    run_stage("pipeline.stages.align")

from typing import TYPE_CHECKING

from pipeline.contract import paths
from pipeline.contract.handing_on import empty_samples, pass_on
from pipeline.contract.launching import is_main_process
from pipeline.contract.manifest import Manifest, read_manifest
from pipeline.contract.params import Params
from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder

if TYPE_CHECKING:
    from pipeline.models.answers import Reward
    from pipeline.training.job import Job, Trained
    from pipeline.training.policy_start import PolicyStart

DIRECTORY = paths.model_dir("align")
_INPUTS = (
    paths.model_dir("train"),
    paths.model_dir("reward"),
    *(file(split) for file in (paths.split_file, paths.preferences_file) for split in ("train", "validation")),
)


def run(params: Params) -> None:
    """Write data/models/align and its metrics."""
    with StageRecorder("align", seed=params.align.seed) as recorder:
        start = read_manifest(paths.model_dir("train"))
        if params.align.objective == "none":
            _pass_on(start, recorder)
        else:
            _align(params, start, recorder)


def _pass_on(start: Manifest, recorder: StageRecorder) -> None:
    pass_on(start, "align", DIRECTORY)
    empty_samples("align")
    recorder.finish({"align/num_steps": 0}, {})


def _align(params: Params, start: Manifest, recorder: StageRecorder) -> None:
    """The libraries are loaded here: a model that is only passed on takes no time."""
    from pipeline.models.quiet import quiet_libraries
    from pipeline.models.seeding import make_deterministic
    from pipeline.training.checkpoints import checkpoint_folder
    from pipeline.training.job import Job

    quiet_libraries()
    from pipeline.evals.own_rewards import source_files
    from pipeline.training.policy_start import start_policy
    from pipeline.training.saving import write_model

    make_deterministic(params.align.seed, start.num_parameters)
    own = source_files(function.function for function in params.align.rewards.functions)
    with checkpoint_folder(params, "align", (*_INPUTS, *own)) as checkpoints:
        job = Job("align", params.align.objective, recorder, checkpoints)
        policy = start_policy(params.align, start, params.base)
        trained = _learn(params, job, policy)
        if is_main_process():
            write_model(DIRECTORY, policy.manifest, trained, params.base.trust_remote_code)
        recorder.finish(trained.metrics, trained.resources)


def _learn(params: Params, job: "Job", policy: "PolicyStart") -> "Trained":
    from pipeline.evals.rewards import format_check

    is_well_formed = format_check(params.align.rewards)
    if params.align.objective in ("dpo", "kto"):
        from pipeline.training.preference import learn_preferences

        return learn_preferences(job, params.align, policy, is_well_formed)
    from pipeline.training.policy import learn_rewards

    return learn_rewards(job, params.align, policy, _rewards(params), is_well_formed)


def _rewards(params: Params) -> "list[Reward]":
    from pipeline.evals.rewards import make_rewards

    rewards = make_rewards(params.align.rewards, "align", params.base.trust_remote_code)
    if not rewards:
        raise StageError("align.rewards: every weight is 0; give one a weight, such as exact_match: 1.0")
    return rewards
