"""A project in a folder as `train` leaves it, with comparisons, ready for the align stage."""

import json
import os
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from pipeline.contract import paths
from pipeline.contract.loading import check_params
from pipeline.contract.params import Params
from pipeline.contract.series import decode_points
from pipeline.stages import align, train
from tests.unit import tiny_training
from tests.unit.tiny_training import Architecture

ADAPTERS: dict[str, Any] = {
    "lora": {"r": 4, "alpha": 8.0},
    "prompt_tuning": {"num_virtual_tokens": 4},
    "p_tuning": {"num_virtual_tokens": 4, "hidden_size": 16},
    "prefix_tuning": {"num_virtual_tokens": 4},
}

OWN_REWARDS = '''
def variety(prompts, completions, references):
    """Different characters of each answer; random answers hardly ever tie."""
    assert len(prompts) == len(references) == len(completions)
    return [len(set(text)) + len(text) / 100 for text in completions]
'''

# A second thread only waits for the first one here.
torch.set_num_threads(1)


def params(train_peft: str = "lora", reward: str = "none", **section: Any) -> Params:
    """Params of a short alignment, and of a shorter reward model; the section `train` is that of `write_start`."""
    defaults: dict[str, Any] = {
        "max_steps": 2,
        "batch_size": 4,
        "log_interval_steps": 1,
        "eval_fraction": 0.5,
        "learning_rate": 1e-2,
        "warmup_fraction": 0.0,
        "lora": ADAPTERS["lora"],
        "rollout": {"max_new_tokens": 4, "num_generations": 2},
        "rewards": {"functions": [{"function": "own_rewards:variety"}]},
        "watch": {"num_samples": 0, "reward_collapse": "off"},
    }
    short = {"max_steps": 1, "batch_size": 4, "eval_fraction": 1.0, "watch": {"num_samples": 0}}
    return check_params(
        {
            "base": {"source": "source"},
            "train": {"peft": train_peft, **short, **ADAPTERS},
            "reward": {"objective": reward, **short},
            "align": defaults | section,
        }
    )


def write_start(architecture: Architecture = "qwen3", train_peft: str = "lora") -> None:
    """Fill the working directory with a trained model and data."""
    shutil.copytree(_start(architecture, train_peft).name, Path.cwd(), dirs_exist_ok=True)


@cache
def _start(architecture: Architecture, train_peft: str) -> TemporaryDirectory[str]:
    """The same in a folder that all tests copy from; it goes when they end."""
    home, folder = Path.cwd(), TemporaryDirectory(prefix="alignment-")
    try:
        os.chdir(folder.name)
        tiny_training.write_project(architecture)
        Path("own_rewards.py").write_text(OWN_REWARDS)
        for split, num_rows in (("train", 12), ("validation", 5), ("test", 3)):
            tiny_training.write_preferences(split, num_rows)
        train.run(params(train_peft))
    finally:
        os.chdir(home)
    return folder


def run(train_peft: str = "lora", **section: Any) -> dict[str, Any]:
    """Align, and give the final metrics."""
    align.run(params(train_peft, **section))
    return dict(json.loads((paths.metrics_dir("align") / paths.METRICS_NAME).read_bytes()))


def curve(name: str) -> list[float]:
    """All values of a metric, in order."""
    points = decode_points((paths.metrics_dir("align") / paths.SERIES_NAME).read_bytes())
    return [value for point in points if (value := point.get(name)) is not None]


def files(stage: str) -> dict[str, bytes]:
    """Contents of a model directory."""
    folder = paths.model_dir(stage)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
