"""Materialises the base model: the starter, pretrained here, or one that exists in a folder or on the hub."""

from pipeline.contract.main import run_stage

if __name__ == "__main__":
    # Above the libraries: wrong params are told before those are loaded.
    run_stage("pipeline.stages.base")

import sys
from collections.abc import Callable

from pipeline.contract import paths
from pipeline.contract.params import Base, Params
from pipeline.contract.recorder import StageRecorder
from pipeline.models.loading import load_tokenizer
from pipeline.models.materialise import copy_model, empty_directory, finish_base, source_tokenizer
from pipeline.models.quiet import quiet_libraries
from pipeline.models.sources import find_source

DIRECTORY = paths.model_dir("base")


def run(params: Params) -> None:
    """Write data/models/base and its metrics."""
    quiet_libraries()
    base = params.base
    with StageRecorder("base", seed=base.seed) as recorder:
        metrics: dict[str, float] = {}
        if base.source == "starter":
            metrics, tokenizer, revision = _pretrain(base, recorder), load_tokenizer(DIRECTORY), None
        else:
            source = find_source(base)
            tokenizer, revision = source_tokenizer(source, base), source.revision
            copy_model(source, DIRECTORY, base.trust_remote_code)
        manifest = finish_base(DIRECTORY, tokenizer, base, revision)
        recorder.finish(metrics | {"base/num_parameters": manifest.num_parameters}, {})


def _pretrain(base: Base, recorder: StageRecorder) -> dict[str, float]:
    """Train the starter model on its generated corpus; the last losses."""
    from pipeline.data.shell import corpus_documents
    from pipeline.models.starter import pretrain

    last: dict[str, float] = {}
    recorder.plan(base.starter.num_steps)
    empty_directory(DIRECTORY)
    documents = corpus_documents(base.starter.num_documents, base.seed)
    pretrain(base.starter, documents, DIRECTORY, base.seed, _on_step(recorder, last))
    return {name: value for name, value in last.items() if name.endswith("/loss")}


def _on_step(recorder: StageRecorder, last: dict[str, float]) -> Callable[[int, int, dict[str, float]], None]:
    def record(step: int, num_steps: int, metrics: dict[str, float]) -> None:
        point = {name.replace("train/", "pretrain/", 1): value for name, value in metrics.items()}
        last.update(point)
        recorder.log(step, point)
        if step % (num_steps // 10 or 1) == 0:
            sys.stdout.write(f"base: step {step} of {num_steps}, loss {point['pretrain/loss']:.3f}\n")
            sys.stdout.flush()

    return record
