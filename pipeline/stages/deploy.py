"""deploy: exports the model, and ships it only when a fresh process answers as the evaluated model did."""

from pipeline.contract.main import run_stage

if __name__ == "__main__":
    # Above the libraries: wrong params are told before those are loaded.
    run_stage("pipeline.stages.deploy")

import gc
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pipeline.contract import paths
from pipeline.contract.files import empty_directory, write_text
from pipeline.contract.manifest import Adapter, Manifest, read_manifest
from pipeline.contract.params import Deploy, Params
from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder
from pipeline.evals.card import CardFacts, base_name, known_versions, model_card
from pipeline.evals.checksums import write_checksums
from pipeline.evals.examples import read_examples
from pipeline.evals.load_back import ProbeRequest, ask_export
from pipeline.evals.parity import Comparison, ProbeAnswer, Prompt, answer_probes, compare
from pipeline.evals.probe import ADAPTER, MODEL
from pipeline.evals.sizes import weight_bytes
from pipeline.models.adapter_files import SOFT_PROMPTS, copy_adapter
from pipeline.models.devices import device_memory, device_name, peak_device_memory, pick_device
from pipeline.models.export import merge_adapter, save_model
from pipeline.models.inputs import bare_model
from pipeline.models.loading import load_model
from pipeline.models.quiet import quiet_libraries
from pipeline.models.seeding import make_deterministic
from pipeline.models.stopping import stop_token_ids
from pipeline.models.weights import count_parameters, hash_weights, weight_files

DIRECTORY = paths.model_dir("deploy")
_DTYPES = {"keep": None, "float32": torch.float32, "bfloat16": torch.bfloat16}
# Probes are answered one by one, so evaluate.batch_size has no say here.
_LESS_MEMORY = "lower evaluate.max_new_tokens, or set deploy.dtype to keep or bfloat16"
_LIBRARIES = ("finetui", "torch", "transformers", "peft", "trl", "tokenizers", "safetensors")


def run(params: Params) -> None:
    """Write data/models/deploy; model.json and the checksums appear last, after the proof."""
    with StageRecorder("deploy") as recorder:
        quiet_libraries()
        trained = read_manifest(paths.model_dir("align"))
        make_deterministic(0, trained.num_parameters)
        metrics_dir = paths.metrics_dir("evaluate")
        metrics, categories = (_read_json(metrics_dir / name) for name in (paths.METRICS_NAME, paths.CATEGORIES_NAME))
        report = _read_json(paths.DATA_REPORT)
        examples = read_examples(paths.split_file("test"), params.deploy.num_probe_prompts)
        prompts = [list(example.prompt) for example in examples]
        device = pick_device()
        recorder.plan(2 * len(prompts), device_name(device))
        on_answer = _progress(recorder)

        empty_directory(DIRECTORY)
        with device_memory("this export", _LESS_MEMORY):
            expected, dtype = _export(trained, params, prompts, device, on_answer)
        request = ProbeRequest(
            prompts, params.evaluate.max_new_tokens, str(device), params.base.trust_remote_code, trained.num_parameters
        )
        found = ask_export(DIRECTORY, request, on_answer)
        comparison = compare(expected, found, dtype)
        _require_equal(comparison, params.deploy)

        exported = _manifest(trained, params.base.trust_remote_code)
        facts = CardFacts(
            manifest=exported,
            base_name=base_name(exported),
            params=params,
            metrics=metrics,
            categories=categories.get("category", {}),
            report=report,
            comparison=comparison,
            versions=known_versions(_LIBRARIES),
            has_adapter=bool(exported.adapters),
        )
        write_text(DIRECTORY / "README.md", model_card(facts))
        exported.write(DIRECTORY)
        write_checksums(DIRECTORY)
        recorder.finish(_metrics(comparison), {"peak_memory_bytes": peak_device_memory(device)})


def _export(
    trained: Manifest, params: Params, prompts: list[Prompt], device: torch.device, on_answer: Callable[[], None]
) -> tuple[list[ProbeAnswer], torch.dtype]:
    """Ask the model as it was evaluated, then write it; the answers, and the coarser type of before and after."""
    loaded = load_model(trained, params.base, device)
    expected = answer_probes(loaded, prompts, params.evaluate.max_new_tokens, on_answer)
    stop_ids = stop_token_ids(loaded)
    before = bare_model(loaded.model).dtype
    exported = merge_adapter(loaded.model, _DTYPES[params.deploy.dtype])
    save_model(exported, loaded, stop_ids, DIRECTORY / MODEL)
    for adapter in _shipped_adapters(trained):
        name = trained.base_source if trained.base_revision else MODEL
        copy_adapter(Path(adapter.path), DIRECTORY / ADAPTER, name, trained.base_revision)
    coarser = max(before, exported.dtype, key=lambda dtype: torch.finfo(dtype).eps)
    # The export is loaded next, and there may be room for one model only.
    del loaded, exported
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return expected, coarser


def _shipped_adapters(trained: Manifest) -> tuple[Adapter, ...]:
    """LoRA and IA3 are merged; a soft prompt, always the last adapter, goes along."""
    return tuple(adapter for adapter in trained.adapters[-1:] if adapter.method in SOFT_PROMPTS)


def _manifest(trained: Manifest, trust_remote_code: bool) -> Manifest:
    folder = DIRECTORY / MODEL
    adapters = tuple(replace(adapter, path=(DIRECTORY / ADAPTER).as_posix()) for adapter in _shipped_adapters(trained))
    num_adapter = sum(adapter.num_parameters for adapter in adapters)
    return replace(
        trained,
        stage="deploy",
        weights=folder.as_posix(),
        tokenizer=folder.as_posix(),
        adapters=adapters,
        num_parameters=count_parameters(folder, trust_remote_code) + num_adapter,
        weights_sha256=hash_weights(weight_files(folder)),
    )


def _require_equal(comparison: Comparison, limits: Deploy) -> None:
    num_changed = comparison.num_probes - comparison.num_equal - comparison.num_ties
    if num_changed <= limits.max_changed_fraction * comparison.num_probes:
        return
    raise StageError(
        f"{DIRECTORY}: the export answers {num_changed} of {comparison.num_probes} probes differently "
        f"({comparison.first_difference}; largest logit difference {comparison.max_logit_difference:.3g}), so it is "
        "not shipped; set deploy.dtype to keep or float32, or allow it with deploy.max_changed_fraction"
    )


def _metrics(comparison: Comparison) -> dict[str, float]:
    return {
        "deploy/num_probes": comparison.num_probes,
        "deploy/num_equal": comparison.num_equal,
        "deploy/num_ties": comparison.num_ties,
        "deploy/max_logit_difference": comparison.max_logit_difference,
        "deploy/model_bytes": weight_bytes(DIRECTORY / MODEL) + weight_bytes(DIRECTORY / ADAPTER),
    }


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise StageError(f"{path}: no such file; the stage before writes it: dvc repro") from error
    except ValueError as error:
        raise StageError(f"{path}: is not JSON ({error}); remove it and run dvc repro") from error
    if not isinstance(value, dict):
        raise StageError(f"{path}: must hold a JSON object; remove it and run dvc repro")
    return value


def _progress(recorder: StageRecorder) -> Callable[[], None]:
    num_answers = 0

    def answered() -> None:
        nonlocal num_answers
        num_answers += 1
        recorder.log(num_answers)

    return answered
