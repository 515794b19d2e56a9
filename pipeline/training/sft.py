"""Supervised fine-tuning: cross-entropy on the completions, every weight or an adapter, through TRL."""

import sys
from typing import Any

from datasets import Dataset

from pipeline.contract import paths
from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Adaptation, Base
from pipeline.contract.problems import StageError
from pipeline.models.devices import pick_device, pick_dtype, training_dtype
from pipeline.models.loading import LoadedModel, load_model
from pipeline.training.adapters import adapter_config
from pipeline.training.arguments import sft_arguments
from pipeline.training.fit import Plan, fit
from pipeline.training.job import Job, Trained
from pipeline.training.rows import EncodedSplit, encode_split
from pipeline.training.trainer import CompletionTrainer

_PACKABLE_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


def fine_tune(job: Job, params: Adaptation, start: Manifest, base: Base) -> Trained:
    """Train on data/prepared, keeping the checkpoint with the lowest validation loss."""
    device = pick_device()
    dtype = training_dtype(params.peft, base.dtype, device)
    loaded = load_model(start, base.model_copy(update={"dtype": dtype}), device)
    _check_packing(job, params, loaded.model.config)
    train, validation = _splits(job, params, loaded)
    _say(job, train)
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
            peft_config=adapter_config(params, start.tokenizer),
            callbacks=callbacks,
        ),
    )


def _splits(job: Job, params: Adaptation, loaded: LoadedModel) -> tuple[EncodedSplit, EncodedSplit]:
    """Training and validation rows, no longer than the params and the model's positions allow."""
    limit = min(params.max_length, _num_positions(job, params, loaded.model.config))
    train = encode_split(paths.split_file("train"), loaded.tokenizer, limit, job.section, params.max_rows)
    validation = encode_split(paths.split_file("validation"), loaded.tokenizer, limit, job.section)
    return train, validation.sorted_by_length()


def _num_positions(job: Job, params: Adaptation, config: Any) -> int:
    """Positions that are left to a row beside the soft prompt."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None) or params.max_length
    virtual = num_virtual_tokens(params)
    if virtual >= positions:
        raise StageError(
            f"{job.section}.{params.peft}.num_virtual_tokens is {virtual}: "
            f"the base model has {positions} positions in all"
        )
    return int(positions) - virtual


def num_virtual_tokens(params: Adaptation) -> int:
    """Positions that the soft prompt takes; 0 for other methods."""
    return int(getattr(getattr(params, params.peft, None), "num_virtual_tokens", 0))


def _check_packing(job: Job, params: Adaptation, config: Any) -> None:
    """Layers with a running state carry it from one packed row into the next."""
    kinds = set(getattr(config.get_text_config(), "layer_types", None) or _PACKABLE_LAYERS)
    if params.packing and not kinds <= _PACKABLE_LAYERS:
        other = sorted(kinds - _PACKABLE_LAYERS)[0]
        raise StageError(
            f"{job.section}.packing is True: the base model has {other} layers, which mix packed rows; set it to false"
        )


def _say(job: Job, train: EncodedSplit) -> None:
    sys.stdout.write(
        f"{job.stage}: {len(train.input_ids)} rows; longer than {job.section}.max_length: "
        f"{train.num_truncated} rows cut, {train.num_dropped} dropped for their prompt\n"
    )
    sys.stdout.flush()
