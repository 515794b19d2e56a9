"""Materialises the base model: the starter, pretrained here, or one that exists in a folder or on the hub."""

from pipeline.contract.main import run_stage

if __name__ == "__main__":
    # Above the libraries: wrong params are told before those are loaded.
    run_stage("pipeline.stages.base")

from pipeline.contract import paths
from pipeline.contract.params import Params
from pipeline.contract.recorder import StageRecorder
from pipeline.data.shell import corpus_documents
from pipeline.models.origin import materialise
from pipeline.models.quiet import quiet_libraries


def run(params: Params) -> None:
    """Write data/models/base and its metrics."""
    quiet_libraries()
    with StageRecorder("base", seed=params.base.seed) as recorder:
        manifest, metrics = materialise("base", params.base, paths.model_dir("base"), corpus_documents, recorder)
        recorder.finish(metrics | {"base/num_parameters": manifest.num_parameters}, {})
