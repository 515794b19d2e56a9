"""Several processes for one stage, one per device: accelerate starts them, the first of them writes.

The stage's own command stays `python -m pipeline.stages.<name>`; its process starts the others and waits for them.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from pipeline.contract.params import Optimisation, Params

RANK, LOCAL_RANK = "RANK", "LOCAL_RANK"
"""Environment variables in which every started process finds its number, over all machines and on this one."""


def is_started() -> bool:
    """Whether this process is one of several."""
    return RANK in os.environ


def is_main_process() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return os.environ.get(RANK, "0") == "0"


def local_rank() -> int | None:
    """Number of this process on this machine; None when it is alone."""
    return int(os.environ[LOCAL_RANK]) if LOCAL_RANK in os.environ else None


def parallel_training(params: Params, stage: str) -> Optimisation | None:
    """Params of the stage's training if that wants several processes."""
    trainings: dict[str, Optimisation] = {"train": params.train, "reward": params.reward, "align": params.align}
    training = trainings.get(stage)
    is_on = stage in trainings and getattr(params, stage).objective not in ("none", "teacher", "merge")
    return training if training is not None and is_on and training.num_processes > 1 else None


def launch(module: str, training: Optimisation) -> int:
    """Run a stage's module in several processes; the exit code of the first one that failed, or 0."""
    child = subprocess.Popen(launch_command(module, training, _has_devices()))  # noqa: S603 - an argument list
    try:
        return child.wait()
    finally:
        # Whatever ends this process ends the others, which would wait for each other for ever.
        child.terminate()
        child.wait()


def launch_command(module: str, training: Optimisation, has_devices: bool) -> Sequence[str]:
    """Command line of accelerate."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_machines", "1"]
    # Port 0: whichever is free; two runs at once must not meet.
    command += ["--num_processes", str(training.num_processes), "--main_process_port", "0", "--dynamo_backend", "no"]
    command += ["--multi_gpu", "--mixed_precision", "bf16"] if has_devices else ["--cpu", "--mixed_precision", "no"]
    if training.sharding == "fsdp2":
        command += ["--use_fsdp", "--fsdp_version", "2", "--fsdp_auto_wrap_policy", "TRANSFORMER_BASED_WRAP"]
        command += ["--fsdp_state_dict_type", "FULL_STATE_DICT", "--fsdp_cpu_ram_efficient_loading", "false"]
    return [*command, "-m", module]


def _has_devices() -> bool:
    """Whether there is a CUDA device; asked in a process of its own, so that this one needs no torch."""
    code = "import sys, torch; sys.exit(0 if torch.cuda.is_available() else 1)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - an argument list
