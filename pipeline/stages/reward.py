"""Trains a reward model on comparisons of answers and checks how it ranks those of the test split; or makes none."""

from pipeline.contract.main import run_stage

if __name__ == "__main__":
    # Above the libraries: wrong params are told before those are loaded.
    run_stage("pipeline.stages.reward")

import shutil

from pipeline.contract import paths
from pipeline.contract.files import write_json
from pipeline.contract.handing_on import no_model
from pipeline.contract.launching import is_main_process
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Params
from pipeline.contract.recorder import StageRecorder

DIRECTORY = paths.model_dir("reward")
_INPUTS = (paths.model_dir("train"), paths.preferences_file("train"), paths.preferences_file("validation"))


def run(params: Params) -> None:
    """Write data/models/reward, its metrics and the accuracy in each category."""
    with StageRecorder("reward", seed=params.reward.seed) as recorder:
        if params.reward.objective == "none":
            _make_none()
            recorder.finish({"reward/num_steps": 0}, {})
        else:
            _train(params, recorder)


def _make_none() -> None:
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    no_model("reward").write(DIRECTORY)
    _write_categories({})


def _train(params: Params, recorder: StageRecorder) -> None:
    """The libraries are loaded here: without a reward model the stage takes no time."""
    from pipeline.models.quiet import quiet_libraries
    from pipeline.models.seeding import make_deterministic
    from pipeline.training.checkpoints import checkpoint_folder
    from pipeline.training.job import Job

    quiet_libraries()
    from pipeline.training.pair_scores import by_category, summarise
    from pipeline.training.reward import score_test_pairs, train_reward, write_reward_model

    start = read_manifest(paths.model_dir("train"))
    make_deterministic(params.reward.seed, start.num_parameters)
    with checkpoint_folder(params, "reward", _INPUTS) as checkpoints:
        job = Job("reward", params.reward.objective, recorder, checkpoints)
        reward = train_reward(job, params.reward, start, params.base)
        if not is_main_process():
            return
        write_reward_model(DIRECTORY, start, reward)
        scores = score_test_pairs(DIRECTORY, params.reward, params.base.trust_remote_code)
        _write_categories(by_category(scores))
        pairs = {f"pairs/{name}": value for name, value in summarise(scores).items()}
        recorder.finish(reward.trained.metrics | pairs, reward.trained.resources)


def _write_categories(categories: dict[str, dict[str, float]]) -> None:
    write_json(paths.metrics_dir("reward") / paths.CATEGORIES_NAME, {"category": categories})
