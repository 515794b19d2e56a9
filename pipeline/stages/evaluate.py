"""evaluate: scores the adapted model, the base model, and where it was aligned the model before, on the test split."""

from pipeline.contract.main import run_stage

if __name__ == "__main__":
    # Above the libraries: wrong params are told before those are loaded.
    run_stage("pipeline.stages.evaluate")

from collections.abc import Callable

import torch

from pipeline.contract import paths
from pipeline.contract.files import write_json
from pipeline.contract.manifest import Manifest, read_manifest
from pipeline.contract.params import Params
from pipeline.contract.recorder import StageRecorder
from pipeline.evals.examples import Example, read_examples
from pipeline.evals.kl import mean_kl
from pipeline.evals.measure import Measurement, answers_of, measure
from pipeline.evals.predictions import write_predictions
from pipeline.evals.rewards import make_rewards, score_answers
from pipeline.evals.sizes import model_sizes
from pipeline.evals.summary import by_category, gains, mean, prefixed, summarise
from pipeline.models.devices import device_memory, device_name, peak_device_memory, pick_device
from pipeline.models.loading import load_model
from pipeline.models.quiet import quiet_libraries
from pipeline.models.seeding import make_deterministic

_LESS_MEMORY = "lower evaluate.batch_size or evaluate.max_new_tokens"


def run(params: Params) -> None:
    """Score the models; write the metrics, the categories and the predictions."""
    with StageRecorder("evaluate") as recorder:
        quiet_libraries()
        manifests = _manifests()
        make_deterministic(0, manifests["base"].num_parameters)
        examples = read_examples(paths.split_file("test"), params.evaluate.max_examples)
        device = pick_device()
        recorder.plan(len(examples) * len(manifests), device_name(device))
        progress = _progress(recorder)

        measured = {
            split: _measure(manifest, params, examples, device, progress) for split, manifest in manifests.items()
        }
        adapted = measured.get("test", measured["base"])
        scalars = {split: summarise(examples, one.scores) for split, one in measured.items()}
        scalars.setdefault("test", scalars["base"])
        metrics = {name: value for split, values in scalars.items() for name, value in prefixed(split, values).items()}
        metrics |= prefixed("gain", gains(scalars["test"], scalars["base"]))
        if "start" in manifests:
            metrics["test/kl"] = _kl(manifests, params, adapted, device)
        metrics |= _rewards(params, examples, measured | {"test": adapted})

        categories = by_category(examples, adapted.scores, measured["base"].scores)
        write_predictions(paths.PREDICTIONS, examples, adapted.scores, measured["base"].scores)
        write_json(paths.metrics_dir("evaluate") / paths.CATEGORIES_NAME, {"category": categories})
        recorder.finish(
            metrics | model_sizes(read_manifest(paths.model_dir("align"))) | {"test/num_examples": len(examples)},
            {"tokens_per_second": adapted.tokens_per_second, "peak_memory_bytes": peak_device_memory(device)},
        )


def _manifests() -> dict[str, Manifest]:
    """The models to score, by the split that their metrics are named after; no model twice."""
    adapted, base = read_manifest(paths.model_dir("align")), read_manifest(paths.model_dir("base"))
    found = {"base": base}
    if adapted.lineage and adapted.lineage[-1].stage == "align":
        found["start"] = read_manifest(paths.model_dir("train"))
    if adapted.method != "base":
        found["test"] = adapted
    return found


def _measure(
    manifest: Manifest,
    params: Params,
    examples: list[Example],
    device: torch.device,
    on_scored: Callable[[int], None],
) -> Measurement:
    """Measure a model that is in memory only meanwhile."""
    loaded = load_model(manifest, params.base, device)
    with device_memory("these answers", _LESS_MEMORY):
        return measure(loaded, examples, params.evaluate, on_scored)


def _kl(manifests: dict[str, Manifest], params: Params, adapted: Measurement, device: torch.device) -> float:
    """How far the alignment moved the model, on its own answers."""
    policy, start = (load_model(manifests[split], params.base, device) for split in ("test", "start"))
    answers = [(score.prompt_ids, score.answer_ids) for score in adapted.scores]
    with device_memory("two models at once", _LESS_MEMORY):
        return mean_kl(policy, start, answers, params.evaluate.batch_size)


def _rewards(params: Params, examples: list[Example], measured: dict[str, Measurement]) -> dict[str, float]:
    """What the answers of each model are worth, where anything has a weight."""
    rewards = make_rewards(params.align.rewards, "evaluate", params.base.trust_remote_code)
    if not rewards:
        return {}
    return {
        f"{split}/reward": mean(score_answers(rewards, answers_of(examples, one.scores)))
        for split, one in measured.items()
    }


def _progress(recorder: StageRecorder) -> Callable[[int], None]:
    num_done = 0

    def scored(num_examples: int) -> None:
        nonlocal num_done
        num_done += num_examples
        recorder.log(num_done)

    return scored
