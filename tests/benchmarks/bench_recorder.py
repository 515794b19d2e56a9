"""What recording costs a training step: python tests/benchmarks/bench_recorder.py (target: under 200 microseconds)."""

import os
import statistics
import tempfile
import time
from pathlib import Path

from transformers import TrainerControl, TrainerState, TrainingArguments

from pipeline.contract.recorder import StageRecorder
from pipeline.training.progress import Progress

_NUM_STEPS = 20_000
_LOGS = {
    "loss": 0.731234,
    "grad_norm": 1.2345678,
    "learning_rate": 0.00123,
    "mean_token_accuracy": 0.8123,
    "entropy": 0.9,
    "num_tokens": 123456.0,
    "epoch": 1.25,
}


def main() -> None:
    """Time the callback as the trainer calls it: once per step, with a log line in every one."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        times = _time_steps(Path(folder))
    microseconds = [value * 1e6 for value in times]
    cuts = statistics.quantiles(microseconds, n=100)
    print(f"{_NUM_STEPS} steps: mean {statistics.mean(microseconds):.1f}, p50 {cuts[49]:.1f}, p99 {cuts[98]:.1f} us")


def _time_steps(folder: Path) -> list[float]:
    arguments = TrainingArguments(output_dir=str(folder), report_to="none", use_cpu=True)
    state, control = TrainerState(), TrainerControl()
    state.max_steps = _NUM_STEPS
    times = []
    with StageRecorder("train") as recorder:
        progress = Progress(recorder, 1.0, "cpu")
        progress.on_train_begin(arguments, state, control)
        for step in range(1, _NUM_STEPS + 1):
            state.global_step = step
            start = time.perf_counter()
            progress.on_step_end(arguments, state, control)
            progress.on_log(arguments, state, control, logs=_LOGS | {"num_tokens": 100.0 * step})
            times.append(time.perf_counter() - start)
        recorder.finish({}, {})
    return times


if __name__ == "__main__":
    main()
