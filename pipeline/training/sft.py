"""Supervised fine-tuning: cross-entropy on the completions, every weight or an adapter, through TRL."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from pipeline.contract import paths
from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Adaptation, Base
from pipeline.models.devices import pick_device, pick_dtype, training_dtype
from pipeline.models.loading import load_merged, load_tokenizer
from pipeline.models.preflight import check_adaptation, model_config, num_positions
from pipeline.models.quantization import load_quantized, quantization_of
from pipeline.models.varlen import attend_to_documents
from pipeline.training.adapters import adapter_config
from pipeline.training.arguments import sft_arguments
from pipeline.training.fit import Plan, fit
from pipeline.training.job import Job, Trained
from pipeline.training.rows import EncodedSplit, encode_split
from pipeline.training.trainer import CompletionTrainer


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned; the labels of the training split unless told otherwise."""

    encode: Callable[[PreTrainedTokenizerBase, int], EncodedSplit]
    """Training rows as token ids, no longer than so many."""
    trainer: Callable[..., Any] = CompletionTrainer
    """Makes the trainer."""
    columns: Callable[[EncodedSplit], Mapping[str, Sequence[Any]]] = lambda _: {}
    """More columns of the training rows, for this trainer."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Our names of metrics that only this trainer logs, by its own."""


def fine_tune(job: Job, params: Adaptation, start: Manifest, base: Base, lesson: Lesson | None = None) -> Trained:
    """Train on data/prepared, keeping the checkpoint with the lowest validation loss."""
    lesson = lesson or _labels(job, params)
    device = pick_device()
    dtype = training_dtype(params.peft, base.dtype, device)
    check_adaptation(job.section, params, start, base.trust_remote_code)
    train, validation = _read_splits(job, params, start, base.trust_remote_code, lesson)
    load = load_merged if quantization_of(params) == "none" else load_quantized
    loaded = load(start, base.model_copy(update={"dtype": dtype}), device)
    if params.packing:
        attend_to_documents(loaded.model, loaded.device)
    target = pick_dtype(base.dtype, device)
    plan = Plan(
        params=params,
        method="full" if params.peft == "none" else params.peft,
        device=loaded.device,
        names=job.names() | dict(lesson.metrics),
        best=f"{job.validation}/loss",
        rounded_dtype=None if pick_dtype(dtype, device) == target else target,
        kept=("loss", "num_tokens", *lesson.metrics),
    )
    return fit(
        job,
        plan,
        lambda callbacks: lesson.trainer(
            model=loaded.model,
            args=sft_arguments(params, job.checkpoints, loaded.device),
            processing_class=loaded.tokenizer,
            train_dataset=Dataset(train.table(lesson.columns(train))),
            eval_dataset=Dataset(validation.table()),
            peft_config=adapter_config(params, start.tokenizer, loaded.model, job.section),
            callbacks=callbacks,
        ),
    )


def _labels(job: Job, params: Adaptation) -> Lesson:
    path = paths.split_file("train")
    return Lesson(lambda tokenizer, limit: encode_split(path, tokenizer, limit, job.section, params.max_rows))


def _read_splits(
    job: Job, params: Adaptation, start: Manifest, trust_remote_code: bool, lesson: Lesson
) -> tuple[EncodedSplit, EncodedSplit]:
    """Training and validation rows, no longer than the params and the model's positions allow."""
    tokenizer = load_tokenizer(Path(start.tokenizer), trust_remote_code)
    limit = min(params.max_length, num_positions(params, model_config(start, trust_remote_code)) or params.max_length)
    train = lesson.encode(tokenizer, limit)
    validation = encode_split(paths.split_file("validation"), tokenizer, limit, job.section)
    _say(job, train)
    return train, validation.sorted_by_length()


def _say(job: Job, train: EncodedSplit) -> None:
    sys.stdout.write(
        f"{job.stage}: {len(train.input_ids)} rows; longer than {job.section}.max_length: "
        f"{train.num_truncated} rows cut, {train.num_dropped} dropped for their prompt\n"
    )
    sys.stdout.flush()
