"""The reward model: a score that is higher for the chosen answer than for the rejected one (Bradley and Terry 1952)."""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel, TaskType, get_peft_model, load_peft_weights, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl.trainer.reward_config import RewardConfig

from pipeline.contract.files import empty_directory
from pipeline.contract.launching import is_main_process
from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Base, Reward
from pipeline.contract.problems import StageError
from pipeline.models.devices import device_memory, pick_device, pick_dtype, training_dtype
from pipeline.models.export import MAX_SHARD_SIZE, merge_adapter
from pipeline.models.loading import is_soft_prompt, load_model
from pipeline.models.preflight import of_processes, refuse
from pipeline.models.reward_model import load_reward_model, num_positions, score_rows
from pipeline.models.score_head import pad_token_id, with_score
from pipeline.models.tokenizer import save_tokenizer
from pipeline.models.weights import copy_file, hash_weights, weight_files
from pipeline.training.adapters import lora_config
from pipeline.training.arguments import common_arguments
from pipeline.training.fit import Plan, fit
from pipeline.training.job import Job, Trained
from pipeline.training.pair_scores import PairScore
from pipeline.training.pair_trainer import LikelihoodTrainer, PairTrainer
from pipeline.training.pairs import EncodedPairs, encode_pairs

_NAMES = {"accuracy": "accuracy", "margin": "margin", "mean_reward": "reward"}


@dataclass(frozen=True, slots=True)
class RewardModel:
    """A trained reward model, in memory."""

    model: PreTrainedModel
    """Plain: what was trained is merged into it."""
    tokenizer: PreTrainedTokenizerBase
    """Has a pad token, the one in the model's configuration."""
    trained: Trained
    """How it came about."""


def train_reward(job: Job, params: Reward, start: Manifest, base: Base) -> RewardModel:
    """Train on the pairs of data/prepared, keeping the checkpoint with the lowest validation loss."""
    refuse(list(of_processes(job.section, params)))
    device = pick_device()
    dtype = training_dtype(params.peft, base.dtype, device)
    model, tokenizer = _start(start, base.model_copy(update={"dtype": dtype}), params, device)
    train, validation = _splits(job, params, tokenizer, model.config)
    tuned = _adapted(model, params)
    plan = Plan(
        params=params,
        method="full" if params.peft == "none" else params.peft,
        device=device,
        names=job.names() | job.split_names(_NAMES),
        best=f"{job.validation}/loss",
    )
    trained = fit(
        job,
        plan,
        lambda callbacks: _trainer(params)(
            model=tuned,
            args=_arguments(params, job.checkpoints, device),
            processing_class=tokenizer,
            train_dataset=Dataset(train.table()),
            eval_dataset=Dataset(validation.table()),
            callbacks=callbacks,
        ),
    )
    if is_main_process():
        _restore(tuned, trained.checkpoint)
    return RewardModel(merge_adapter(tuned, pick_dtype(base.dtype, device)).eval(), tokenizer, trained)


def write_reward_model(directory: Path, start: Manifest, reward: RewardModel) -> Manifest:
    """Write a folder that AutoModelForSequenceClassification loads, its manifest last."""
    empty_directory(directory)
    reward.model.save_pretrained(directory, max_shard_size=MAX_SHARD_SIZE)
    save_tokenizer(reward.tokenizer, directory)
    for file in weight_files(directory):
        # safetensors gives them to their owner alone; whoever may read the config may read the weights.
        file.chmod((directory / "config.json").stat().st_mode)
    for file in Path(start.weights).glob("*.py"):
        copy_file(file, directory / file.name)
    step = reward.trained.step
    manifest = replace(
        start,
        stage=step.stage,
        weights=directory.as_posix(),
        tokenizer=directory.as_posix(),
        method=step.method,
        adapters=(),
        num_parameters=sum(parameter.numel() for parameter in reward.model.parameters()),
        num_trainable_parameters=step.num_trainable_parameters,
        weights_sha256=hash_weights(weight_files(directory)),
        lineage=(*start.lineage, step),
    )
    manifest.write(directory)
    return manifest


def _start(
    start: Manifest, base: Base, params: Reward, device: torch.device
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The trained model, its adapters merged, under a new score head where the score is to come from one."""
    loaded = load_model(start, base, device)
    if is_soft_prompt(loaded.model):
        raise StageError(
            f"reward.objective is {params.objective!r}: the model of train ends in a soft prompt ({start.method}), on "
            "which nothing can be put; set train.peft to lora, ia3 or none, or train.objective to none for a reward "
            "model of the base"
        )
    merged = merge_adapter(loaded.model, None)
    pad_id = pad_token_id(loaded.tokenizer)
    if params.objective == "bradley_terry":
        merged = with_score(merged, pad_id, params.seed, base.trust_remote_code)
    return merged, loaded.tokenizer


def _trainer(params: Reward) -> Callable[..., PairTrainer]:
    if params.objective == "bradley_terry":
        return PairTrainer
    return partial(LikelihoodTrainer, beta=params.beta)


def _splits(
    job: Job, params: Reward, tokenizer: PreTrainedTokenizerBase, config: Any
) -> tuple[EncodedPairs, EncodedPairs]:
    """Training and validation pairs, no longer than the params and the model's positions allow."""
    limit = min(params.max_length, num_positions(config) or params.max_length)
    train = encode_pairs("train", tokenizer, limit, params.max_rows)
    validation = encode_pairs("validation", tokenizer, limit)
    sys.stdout.write(
        f"{job.stage}: {len(train.chosen)} pairs; {train.num_dropped} longer than {job.section}.max_length dropped\n"
    )
    sys.stdout.flush()
    return train, validation


def _adapted(model: PreTrainedModel, params: Reward) -> Any:
    """The model with what is trained: every weight, or an adapter beside the score head."""
    if params.peft == "none":
        # What an adapter was merged into has been frozen since that was loaded.
        return model.requires_grad_(True)
    try:
        task = TaskType.SEQ_CLS if params.objective == "bradley_terry" else TaskType.CAUSAL_LM
        tuned = get_peft_model(model, lora_config(params.lora, task))
    except ValueError as error:
        raise StageError(f"reward.lora.target_modules is {params.lora.target_modules!r}: {error}") from error
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            # In bfloat16 most steps of the score head would be lost in rounding.
            parameter.data = parameter.data.float()
    return tuned


def _arguments(params: Reward, output_dir: Path, device: torch.device) -> RewardConfig:
    return RewardConfig(
        **common_arguments(params, output_dir, device),
        # Longer pairs are dropped before, and counted.
        max_length=None,
        center_rewards_coefficient=params.center_coefficient or None,
        # Where an answer begins is no input of the model, but its collator needs it.
        remove_unused_columns=False,
    )


def _restore(model: Any, checkpoint: Path) -> None:
    """Bring back the weights of the best step."""
    if isinstance(model, PeftModel):
        set_peft_model_state_dict(model, load_peft_weights(str(checkpoint), device="cpu"))
        return
    weights: dict[str, torch.Tensor] = {}
    for file in weight_files(checkpoint):
        weights |= load_file(file)
    with torch.no_grad():
        # A weight that two layers share has one name here, and in the file.
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def score_test_pairs(directory: Path, params: Reward, trust_remote_code: bool) -> list[PairScore]:
    """Scores of the held-out pairs by the model as it was written."""
    device = pick_device()
    model, tokenizer = load_reward_model(directory, device, trust_remote_code)
    pairs = encode_pairs("test", tokenizer, num_positions(model.config) or sys.maxsize)
    with device_memory("these pairs", "lower reward.batch_size"):
        values = score_rows(model, [*pairs.chosen, *pairs.rejected], params.batch_size * 4)
    num_pairs = len(pairs.chosen)
    return [
        PairScore(category, chosen, rejected, _lead(params, chosen, rejected))
        for category, chosen, rejected in zip(pairs.categories, values[:num_pairs], values[num_pairs:], strict=True)
    ]


def _lead(params: Reward, chosen: float, rejected: float) -> float:
    """Log-odds of a ranking, from the scores."""
    if params.objective == "bradley_terry":
        return chosen - rejected
    smallest = sys.float_info.min
    return params.beta * (math.log(max(chosen, smallest)) - math.log(max(rejected, smallest)))
