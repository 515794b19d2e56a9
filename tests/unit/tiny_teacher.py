"""A project with a tiny base model and, of the same tokenizer, a tiny teacher that has learned to answer."""

import contextlib
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from pipeline.contract.loading import check_params
from pipeline.contract.params import Params
from pipeline.stages import base as base_stage
from pipeline.stages import teacher as teacher_stage
from tests.unit import tiny_training

NUM_ROWS = 24
NUM_LABELLED = 10
TOP_K = 8


def params(train: dict[str, Any] | None = None, teacher: dict[str, Any] | None = None) -> Params:
    """Params of a short distillation from the model in `teacher_source`."""
    adaptation = {"max_steps": 40, "batch_size": 8, "learning_rate": 1.0e-2, "watch": {"num_samples": 0}}
    teacher_section: dict[str, Any] = {
        "source": "teacher_source",
        "top_k": TOP_K,
        "max_new_tokens": 24,
        "batch_size": 10,
        "train": adaptation,
    }
    train_section: dict[str, Any] = {
        "objective": "distill",
        "peft": "none",
        "max_rows": NUM_LABELLED,
        "max_steps": 8,
        "batch_size": 4,
        "learning_rate": 3.0e-3,
        "log_interval_steps": 1,
        "eval_fraction": 0.5,
        "watch": {"num_samples": 0},
        "lora": {"r": 4, "alpha": 8.0},
        "prompt_tuning": {"num_virtual_tokens": 4},
        "prefix_tuning": {"num_virtual_tokens": 4},
        "p_tuning": {"num_virtual_tokens": 4, "hidden_size": 16},
    }
    return check_params(
        {
            "base": {"source": "source"},
            "teacher": teacher_section | (teacher or {}),
            "train": train_section | (train or {}),
        }
    )


def write_project(architecture: tiny_training.Architecture = "qwen3", **teacher: Any) -> Params:
    """Write base model, prepared rows and the teacher's answers into the working directory."""
    write_start(architecture)
    result = params(teacher=teacher)
    teacher_stage.run(result)
    return result


def make_project(directory: Path) -> Path:
    """The same in a folder; tests copy it, as a teacher takes longer to make than all else."""
    with contextlib.chdir(directory):
        write_project()
    return directory


def copy_project(directory: Path) -> None:
    """Copy a project into the working directory."""
    shutil.copytree(directory, Path.cwd(), dirs_exist_ok=True)


def write_start(architecture: tiny_training.Architecture = "qwen3") -> None:
    """Write everything that comes before the teacher stage."""
    tiny_training.save_model(Path("source"), architecture)
    tiny_training.save_model(Path("teacher_source"), architecture)
    shake(Path("teacher_source"))
    base_stage.run(params())
    tiny_training.write_split("train", NUM_ROWS)
    tiny_training.write_split("validation", 6)


def shake(directory: Path, num_padded: int = 0) -> None:
    """Give a saved model other weights, and embeddings for so many tokens that no tokenizer gives."""
    model = AutoModelForCausalLM.from_pretrained(directory)
    if num_padded:
        model.resize_token_embeddings(model.config.vocab_size + num_padded, mean_resizing=False)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    model.save_pretrained(directory)
