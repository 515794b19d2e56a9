"""evaluate: scores the adapted model and the base model on the test split, example by example."""

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
from pipeline.evals.measure import Measurement, measure
from pipeline.evals.predictions import write_predictions
from pipeline.evals.sizes import model_sizes
from pipeline.evals.summary import by_category, gains, prefixed, summarise
from pipeline.models.devices import device_memory, device_name, peak_device_memory, pick_device
from pipeline.models.loading import load_model
from pipeline.models.quiet import quiet_libraries
from pipeline.models.seeding import make_deterministic


def run(params: Params) -> None:
    """Score both models; write the metrics, the categories and the predictions."""
    with StageRecorder("evaluate") as recorder:
        quiet_libraries()
        adapted_manifest = read_manifest(paths.model_dir("train"))
        base_manifest = read_manifest(paths.model_dir("base"))
        make_deterministic(0, base_manifest.num_parameters)
        examples = read_examples(paths.split_file("test"), params.evaluate.max_examples)
        is_adapted = adapted_manifest.method != "base"
        device = pick_device()
        recorder.plan(len(examples) * (1 + is_adapted), device_name(device))
        progress = _progress(recorder)

        base = _measure(base_manifest, params, examples, device, progress)
        adapted = _measure(adapted_manifest, params, examples, device, progress) if is_adapted else base

        test, untouched = summarise(examples, adapted.scores), summarise(examples, base.scores)
        metrics = prefixed("test", test) | prefixed("base", untouched) | prefixed("gain", gains(test, untouched))
        categories = by_category(examples, adapted.scores, base.scores)
        write_predictions(paths.PREDICTIONS, examples, adapted.scores, base.scores)
        write_json(paths.metrics_dir("evaluate") / paths.CATEGORIES_NAME, {"category": categories})
        recorder.finish(
            metrics | model_sizes(adapted_manifest) | {"test/num_examples": len(examples)},
            {"tokens_per_second": adapted.tokens_per_second, "peak_memory_bytes": peak_device_memory(device)},
        )


def _measure(
    manifest: Manifest,
    params: Params,
    examples: list[Example],
    device: torch.device,
    on_scored: Callable[[int], None],
) -> Measurement:
    """Measure a model that is in memory only meanwhile."""
    loaded = load_model(manifest, params.base, device)
    with device_memory("these answers", "lower evaluate.batch_size or evaluate.max_new_tokens"):
        return measure(loaded, examples, params.evaluate, on_scored)


def _progress(recorder: StageRecorder) -> Callable[[int], None]:
    num_done = 0

    def scored(num_examples: int) -> None:
        nonlocal num_done
        num_done += num_examples
        recorder.log(num_done)

    return scored
