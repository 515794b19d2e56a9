"""The trainer's arguments that params ask for; what the libraries turn on by themselves is said out loud."""

from pathlib import Path
from typing import Any

import torch
from trl.trainer.sft_config import SFTConfig

from pipeline.contract.params import Adaptation, Optimisation

_EVAL_BATCH_FACTOR = 4
_OLDEST_WITH_TF32 = (8, 0)


def sft_arguments(params: Adaptation, output_dir: Path, device: torch.device) -> SFTConfig:
    """Arguments of supervised fine-tuning."""
    return SFTConfig(
        **common_arguments(params, output_dir, device),
        max_length=params.max_length,
        packing=params.packing,
        eval_packing=False,
        # Rows come with ids and labels; only packing has something left to prepare.
        dataset_kwargs={"skip_prepare_dataset": not params.packing},
    )


def common_arguments(params: Optimisation, output_dir: Path, device: torch.device) -> dict[str, Any]:
    """Arguments that the trainers of all objectives take."""
    return {
        "output_dir": str(output_dir),
        **_optimisation(params),
        **_evaluation(params),
        **_machine(params, device),
        **_sharding(params),
        "seed": params.seed,
        "data_seed": params.seed,
    }


def _optimisation(params: Optimisation) -> dict[str, Any]:
    schedule = "constant_with_warmup" if params.lr_schedule == "constant" else params.lr_schedule
    return {
        "num_train_epochs": params.num_epochs,
        "max_steps": params.max_steps or -1,
        "per_device_train_batch_size": params.batch_size,
        "gradient_accumulation_steps": params.gradient_accumulation_steps,
        "learning_rate": params.learning_rate,
        "lr_scheduler_type": schedule,
        # Below 1 it is read as a share of the steps.
        "warmup_steps": params.warmup_fraction,
        "weight_decay": params.weight_decay,
        "max_grad_norm": params.max_grad_norm,
        "optim": "adamw_torch_fused",
    }


def _evaluation(params: Optimisation) -> dict[str, Any]:
    return {
        # The progress callback says when: it also knows the last step.
        "eval_strategy": "no",
        "per_device_eval_batch_size": params.batch_size * _EVAL_BATCH_FACTOR,
        "prediction_loss_only": True,
        # The keeper saves, after each evaluation.
        "save_strategy": "no",
        "logging_strategy": "steps",
        "logging_steps": params.log_interval_steps,
        # On by default: it would hide a loss that is not finite behind an average.
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _machine(params: Optimisation, device: torch.device) -> dict[str, Any]:
    on_cuda = device.type == "cuda"
    return {
        "use_cpu": not on_cuda,
        "bf16": on_cuda,
        # For what stays in float32; None where the device has no such type.
        "tf32": True if on_cuda and torch.cuda.get_device_capability(device) >= _OLDEST_WITH_TF32 else None,
        "gradient_checkpointing": params.gradient_checkpointing,
        "torch_compile": params.compile,
        # Rows are token ids already: a batch is made while the device is busy with the one before it.
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": on_cuda,
    }


def _sharding(params: Optimisation) -> dict[str, Any]:
    """Split weights, gradients and moments over the processes, layer by layer."""
    if params.sharding == "none" or params.num_processes == 1:
        return {}
    options = {"version": 2, "auto_wrap_policy": "TRANSFORMER_BASED_WRAP", "state_dict_type": "FULL_STATE_DICT"}
    return {"fsdp": True, "fsdp_config": options | {"reshard_after_forward": True, "cpu_ram_efficient_loading": False}}
