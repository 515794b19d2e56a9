"""Supervised fine-tuning: cross-entropy on the completions, every weight or an adapter, through TRL."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback

from pipeline.contract import paths
from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Params, Train
from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder
from pipeline.models.devices import (
    device_memory,
    device_name,
    peak_device_memory,
    pick_device,
    pick_dtype,
    training_dtype,
)
from pipeline.models.loading import LoadedModel, load_model
from pipeline.training.adapters import adapter_config
from pipeline.training.arguments import training_arguments
from pipeline.training.progress import Progress
from pipeline.training.rows import EncodedSplit, encode_split
from pipeline.training.trainer import CompletionTrainer, num_parameters

_LESS_MEMORY = (
    "lower train.batch_size (and raise train.gradient_accumulation_steps by as much) or train.max_length, "
    "or set train.gradient_checkpointing"
)
_PACKABLE_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training leaves behind."""

    checkpoint: Path
    """Folder with the weights of the best step."""
    rounded_dtype: torch.dtype | None
    """Type in which the weights are handed on where that is coarser than the checkpoint's."""
    num_parameters: int
    """All parameters, the adapter's included."""
    num_trainable_parameters: int
    """Parameters that were trained."""
    metrics: dict[str, float]
    """Final scalars that params and seed decide."""
    resources: dict[str, float | int | None]
    """Final scalars that the machine decides."""


def fine_tune(params: Params, base: Manifest, checkpoints: Path, recorder: StageRecorder) -> Trained:
    """Train on data/prepared, keeping the checkpoint with the lowest validation loss."""
    device = pick_device()
    dtype = training_dtype(params.train.peft, params.base.dtype, device)
    loaded = load_model(base, params.base.model_copy(update={"dtype": dtype}), device)
    _check_packing(params.train, loaded.model.config)
    train, validation = _splits(params.train, loaded)
    progress = Progress(recorder, params.train.eval_fraction, device_name(loaded.device))
    trainer = _build(params.train, base, loaded, train, validation, checkpoints, progress)
    total, trainable = num_parameters(trainer.model)
    _say(train, trainable, total)
    if loaded.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(loaded.device)
    with device_memory("this training", _LESS_MEMORY):
        trainer.train()
    metrics = {
        "train/loss": progress.last["train/loss"],
        **progress.best,
        "train/best_step": progress.best_step,
        "train/num_steps": trainer.state.global_step,
        "train/num_tokens": int(progress.last["train/num_tokens"]),
    }
    seconds = progress.training_time_s
    resources = {
        "tokens_per_second": round(progress.last["train/num_tokens"] / seconds, 1),
        "steps_per_second": round(trainer.state.global_step / seconds, 3),
        "peak_memory_bytes": peak_device_memory(loaded.device),
    }
    checkpoint, target = checkpoints / f"checkpoint-{progress.best_step}", pick_dtype(params.base.dtype, device)
    rounded = None if pick_dtype(dtype, device) == target else target
    return Trained(checkpoint, rounded, total, trainable, metrics, resources)


def _splits(params: Train, loaded: LoadedModel) -> tuple[EncodedSplit, EncodedSplit]:
    """Training and validation rows, no longer than the params and the model's positions allow."""
    limit = min(params.max_length, _num_positions(params, loaded.model.config))
    train = encode_split(paths.split_file("train"), loaded.tokenizer, limit)
    validation = encode_split(paths.split_file("validation"), loaded.tokenizer, limit)
    return train, validation.sorted_by_length()


def _num_positions(params: Train, config: Any) -> int:
    """Positions that are left to a row beside the soft prompt."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None) or params.max_length
    virtual = params.prompt_tuning.num_virtual_tokens if params.peft == "prompt_tuning" else 0
    if virtual >= positions:
        raise StageError(
            f"train.prompt_tuning.num_virtual_tokens is {virtual}: the base model has {positions} positions in all"
        )
    return int(positions) - virtual


def _check_packing(params: Train, config: Any) -> None:
    """Layers with a running state carry it from one packed row into the next."""
    kinds = set(getattr(config.get_text_config(), "layer_types", None) or _PACKABLE_LAYERS)
    if params.packing and not kinds <= _PACKABLE_LAYERS:
        other = sorted(kinds - _PACKABLE_LAYERS)[0]
        raise StageError(
            f"train.packing is True: the base model has {other} layers, which mix packed rows; set it to false"
        )


def _build(
    params: Train,
    base: Manifest,
    loaded: LoadedModel,
    train: EncodedSplit,
    validation: EncodedSplit,
    checkpoints: Path,
    progress: Progress,
) -> CompletionTrainer:
    try:
        trainer = CompletionTrainer(
            model=loaded.model,
            args=training_arguments(params, checkpoints, loaded.device),
            processing_class=loaded.tokenizer,
            train_dataset=Dataset(train.table()),
            eval_dataset=Dataset(validation.table()),
            peft_config=adapter_config(params, base.tokenizer),
            callbacks=[progress],
        )
    except ValueError as error:
        raise StageError(f"the trainer cannot start with these params: {error}") from error
    trainer.remove_callback(PrinterCallback)
    return trainer


def _say(train: EncodedSplit, trainable: int, total: int) -> None:
    sys.stdout.write(
        f"train: {len(train.input_ids)} rows, {trainable} of {total} parameters; "
        f"longer than train.max_length: {train.num_truncated} rows cut, {train.num_dropped} dropped for their prompt\n"
    )
    sys.stdout.flush()
