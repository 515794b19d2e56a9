"""The model that everything starts from: the starter, pretrained here, or one that exists in a folder or on the hub."""

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from pipeline.contract.files import empty_directory
from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Base
from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder
from pipeline.models.loading import load_tokenizer
from pipeline.models.materialise import copy_model, finish_base, source_tokenizer
from pipeline.models.sources import find_source

Documents = Callable[[int, int], Iterable[str]]
"""Corpus of the starter by number of documents and seed."""

_KEY_OF_BASE = re.compile(r"\bbase\.(?=source|revision|starter)")


def materialise(
    stage: str, params: Base, directory: Path, documents: Documents, recorder: StageRecorder
) -> tuple[Manifest, dict[str, float]]:
    """Put the model that `params` name into a folder, for a stage; its manifest, and the last losses of pretraining."""
    metrics: dict[str, float] = {}
    try:
        if params.source == "starter":
            metrics = _pretrain(stage, params, directory, documents, recorder)
            tokenizer, revision = load_tokenizer(directory), None
        else:
            source = find_source(params)
            tokenizer, revision = source_tokenizer(source, params), source.revision
            copy_model(source, directory, params.trust_remote_code)
        manifest = finish_base(directory, tokenizer, params, revision)
    except StageError as error:
        raise StageError(_KEY_OF_BASE.sub(f"{stage}.", str(error))) from error
    if manifest.stage != stage:
        manifest = replace(manifest, stage=stage)
        manifest.write(directory)
    return manifest, metrics


def _pretrain(
    stage: str, params: Base, directory: Path, documents: Documents, recorder: StageRecorder
) -> dict[str, float]:
    """Train the starter model on its generated corpus."""
    from pipeline.models.starter import pretrain

    last: dict[str, float] = {}
    recorder.plan(params.starter.num_steps)
    empty_directory(directory)
    texts = documents(params.starter.num_documents, params.seed)
    pretrain(params.starter, texts, directory, params.seed, _on_step(stage, recorder, last))
    return {name: value for name, value in last.items() if name.endswith("/loss")}


def _on_step(
    stage: str, recorder: StageRecorder, last: dict[str, float]
) -> Callable[[int, int, dict[str, float]], None]:
    split = "pretrain" if stage == "base" else f"{stage}_pretrain"

    def record(step: int, num_steps: int, metrics: dict[str, float]) -> None:
        point = {name.replace("train/", f"{split}/", 1): value for name, value in metrics.items()}
        last.update(point)
        recorder.log(step, point)
        if step % (num_steps // 10 or 1) == 0:
            sys.stdout.write(f"{stage}: step {step} of {num_steps}, loss {point[f'{split}/loss']:.3f}\n")
            sys.stdout.flush()

    return record
