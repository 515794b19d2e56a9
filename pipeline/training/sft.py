"""Supervised fine-tuning: cross-entropy on the completions, every weight or an adapter, through TRL."""

import sys
from pathlib import Path

from datasets import Dataset

from pipeline.contract import paths
from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Adaptation, Base
from pipeline.models.devices import pick_device, pick_dtype, training_dtype
from pipeline.models.loading import load_model, load_tokenizer
from pipeline.models.preflight import check_adaptation, model_config, num_positions
from pipeline.training.adapters import adapter_config
from pipeline.training.arguments import sft_arguments
from pipeline.training.fit import Plan, fit
from pipeline.training.job import Job, Trained
from pipeline.training.rows import EncodedSplit, encode_split
from pipeline.training.trainer import CompletionTrainer


def fine_tune(job: Job, params: Adaptation, start: Manifest, base: Base) -> Trained:
    """Train on data/prepared, keeping the checkpoint with the lowest validation loss."""
    device = pick_device()
    dtype = training_dtype(params.peft, base.dtype, device)
    check_adaptation(job.section, params, start, base.trust_remote_code)
    train, validation = read_splits(job, params, start, base.trust_remote_code)
    loaded = load_model(start, base.model_copy(update={"dtype": dtype}), device)
    target = pick_dtype(base.dtype, device)
    plan = Plan(
        params=params,
        method="full" if params.peft == "none" else params.peft,
        device=loaded.device,
        names=job.names(),
        best=f"{job.validation}/loss",
        rounded_dtype=None if pick_dtype(dtype, device) == target else target,
    )
    return fit(
        job,
        plan,
        lambda callbacks: CompletionTrainer(
            model=loaded.model,
            args=sft_arguments(params, job.checkpoints, loaded.device),
            processing_class=loaded.tokenizer,
            train_dataset=Dataset(train.table()),
            eval_dataset=Dataset(validation.table()),
            peft_config=adapter_config(params, start.tokenizer, loaded.model, job.section),
            callbacks=callbacks,
        ),
    )


def read_splits(
    job: Job, params: Adaptation, start: Manifest, trust_remote_code: bool
) -> tuple[EncodedSplit, EncodedSplit]:
    """Training and validation rows, no longer than the params and the model's positions allow."""
    tokenizer = load_tokenizer(Path(start.tokenizer), trust_remote_code)
    limit = min(params.max_length, num_positions(params, model_config(start, trust_remote_code)) or params.max_length)
    train = encode_split(paths.split_file("train"), tokenizer, limit, job.section, params.max_rows)
    validation = encode_split(paths.split_file("validation"), tokenizer, limit, job.section)
    _say(job, train)
    return train, validation.sorted_by_length()


def _say(job: Job, train: EncodedSplit) -> None:
    sys.stdout.write(
        f"{job.stage}: {len(train.input_ids)} rows; longer than {job.section}.max_length: "
        f"{train.num_truncated} rows cut, {train.num_dropped} dropped for their prompt\n"
    )
    sys.stdout.flush()
