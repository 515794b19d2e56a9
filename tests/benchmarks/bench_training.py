"""Throughput of the train stage beside a plain TRL script with the same settings, both in one run.

    python tests/benchmarks/bench_training.py                      # tiny model, LoRA, on the CPU: ours / plain >= 0.97
    python tests/benchmarks/bench_training.py --size 8b --defaults # on a GPU: each with its own defaults

Weights are random. Every measurement is a process of its own, the two take turns, medians are compared: tokens of the
data, padding left out, per second of CPU time (of wall-clock time on a GPU), model loading and tokenising left out.
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")

SIZES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2},
    "0.6b": {"hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8},
    "8b": {"hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8},
}
VOCABULARY = {"tiny": 1024, "0.6b": 151_936, "8b": 151_936}
WORDS = ("list", "count", "files", "lines", "folder", "notes", "below", "size", "name", "user")
_TARGET = 0.97


def main() -> None:
    """Measure, compare, print."""
    options = _options()
    if options.one:
        print(json.dumps(_measure(options)))
        return
    found: dict[str, list[dict[str, float]]] = {"ours": [], "plain": []}
    with tempfile.TemporaryDirectory() as folder:
        _make_project(Path(folder), options)
        for _ in range(options.repeats):
            for side in found:
                found[side].append(_run(side, folder, options))
    speeds = {side: statistics.median(one["tokens_per_second"] for one in many) for side, many in found.items()}
    for side, many in found.items():
        last = many[-1]
        utilisation = f", MFU {last['mfu']:.1%}" if last["mfu"] else ""
        print(
            f"{side:5}: {speeds[side]:,.0f} tokens/s of {last['clock']}{utilisation}, "
            f"peak memory {last['peak_memory_bytes'] / 2**20:,.0f} MiB, loss {last['loss']:.4f}"
        )
    goal = "1.5 with each side's defaults" if options.defaults else f"{_TARGET}"
    print(f"ours / plain: {speeds['ours'] / speeds['plain']:.3f} (target at least {goal})")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--peft", choices=("lora", "none"), default="lora")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--words", type=int, default=12, help="longest prompt, in words; answers have half of it")
    parser.add_argument("--equal-lengths", action="store_true", help="no padding on either side: what our frame costs")
    parser.add_argument("--packing", action="store_true", help="rows packed into full ones, on both sides")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--defaults", action="store_true", help="each side with its own defaults instead of equal ones")
    parser.add_argument("--one", choices=("ours", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--project", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(side: str, folder: str, options: argparse.Namespace) -> dict[str, float]:
    arguments = ["--size", options.size, "--peft", options.peft, "--steps", str(options.steps)]
    arguments += ["--batch-size", str(options.batch_size)]
    arguments += [f"--{name}" for name in ("defaults", "packing") if getattr(options, name)]
    command = [sys.executable, __file__, *arguments, "--one", side, "--project", folder]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _make_project(root: Path, options: argparse.Namespace) -> None:
    """A random model in a folder, and rows of many lengths, where the stages look for them."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from pipeline.stages import base
    from tests.unit import tiny_training

    os.chdir(root)
    tokenizer = tiny_training.make_tokenizer()
    shape = SIZES[options.size]
    config = Qwen3Config(
        vocab_size=VOCABULARY[options.size],
        intermediate_size=3 * shape["hidden_size"],
        head_dim=max(32, shape["hidden_size"] // shape["num_attention_heads"]),
        max_position_embeddings=4096,
        tie_word_embeddings=options.size != "8b",
        dtype="float32" if options.size == "tiny" else "bfloat16",
        **shape,
    )
    torch.manual_seed(0)
    # Made in the type that it is saved in: 8 billion weights would fill twice the memory on the way.
    torch.set_default_dtype(torch.float32 if options.size == "tiny" else torch.bfloat16)
    model: Any = Qwen3ForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.generation_config.eos_token_id = model.config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained("source")
    tokenizer.save_pretrained("source")
    base.run(_params(options))
    for split, num_rows in (("train", options.steps * options.batch_size), ("validation", options.batch_size)):
        _write_rows(split, num_rows, options)


def _write_rows(split: str, num_rows: int, options: argparse.Namespace) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from pipeline.contract import paths
    from tests.unit.tiny_training import SCHEMA

    rng, longest = random.Random(split), options.words
    shortest = longest if options.equal_lengths else 1
    rows = [
        {
            "id": f"{number:06}",
            "category": "all",
            "prompt": [{"role": "user", "content": " ".join(rng.choices(WORDS, k=rng.randint(shortest, longest)))}],
            "completion": " ".join(rng.choices(WORDS, k=rng.randint((shortest + 1) // 2, (longest + 1) // 2))),
            "num_tokens": 1,
        }
        for number in range(num_rows)
    ]
    path = paths.split_file(split)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)


def _params(options: argparse.Namespace) -> Any:
    from pipeline.contract.loading import check_params

    equal = {"eval_fraction": 1.0, "watch": {"num_samples": 0}}
    train = {
        "peft": options.peft,
        "max_steps": options.steps,
        "batch_size": options.batch_size,
        "packing": options.packing,
        "log_interval_steps": 10,
    }
    return check_params({"base": {"source": "source"}, "train": train | ({} if options.defaults else equal)})


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run one side with its trainer's `train` under the clock."""
    from trl.trainer.sft_trainer import SFTTrainer

    os.chdir(options.project)
    seen: dict[str, Any] = {}
    original = SFTTrainer.train

    def timed(trainer: Any, *arguments: Any, **named: Any) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = original(trainer, *arguments, **named)
        seen.update(trainer=trainer, wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)
        return result

    SFTTrainer.train = timed  # type: ignore[method-assign]
    (_ours if options.one == "ours" else _plain)(options)
    return _figures(seen)


def _ours(options: argparse.Namespace) -> None:
    from pipeline.stages import train

    train.run(_params(options))


def _plain(options: argparse.Namespace) -> None:
    """What a user of TRL writes: text in, its own collator, its own defaults for what is not said."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    on_cuda = torch.cuda.is_available()
    torch.set_num_threads(1 if options.size == "tiny" else os.cpu_count() or 1)
    settings: dict[str, Any] = {"max_steps": options.steps, "per_device_train_batch_size": options.batch_size}
    settings |= {"packing": options.packing, "eval_packing": False}
    settings |= {"eval_strategy": "steps", "eval_steps": options.steps}
    settings |= {"save_strategy": "steps", "save_steps": options.steps}
    settings |= {"output_dir": "plain", "report_to": "none", "logging_steps": 10, "disable_tqdm": True}
    if not options.defaults:
        settings |= {"gradient_checkpointing": False, "learning_rate": 5e-3, "max_length": 512, "warmup_steps": 0.05}
    if options.defaults:
        model: Any = "data/models/base"
    else:
        dtype = torch.bfloat16 if on_cuda else torch.float32
        model = AutoModelForCausalLM.from_pretrained("data/models/base", dtype=dtype)
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(use_cpu=not on_cuda, **settings),
        train_dataset=Dataset.from_list(_conversations("train")),
        eval_dataset=Dataset.from_list(_conversations("validation")),
        processing_class=AutoTokenizer.from_pretrained("data/models/base"),
        peft_config=lora if options.peft == "lora" else None,
    )
    trainer.train()


def _conversations(split: str) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    from pipeline.contract import paths

    rows = pq.read_table(paths.split_file(split)).to_pylist()
    return [{"prompt": r["prompt"], "completion": [{"role": "assistant", "content": r["completion"]}]} for r in rows]


def _figures(seen: dict[str, Any]) -> dict[str, Any]:
    import resource

    import torch

    on_cuda = torch.cuda.is_available()
    trainer = seen["trainer"]
    logs = [line for line in trainer.state.log_history if "num_tokens" in line]
    seconds = seen["wall"] if on_cuda else seen["cpu"]
    speed = logs[-1]["num_tokens"] / seconds
    peak = torch.cuda.max_memory_allocated() if on_cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return {
        "tokens_per_second": speed,
        "clock": "wall-clock time" if on_cuda else "CPU time",
        "mfu": speed * _flops_per_token(trainer.model) / _peak_flops() if on_cuda else 0.0,
        "peak_memory_bytes": peak,
        "loss": losses[-1],
    }


def _flops_per_token(model: Any) -> float:
    """Two per weight forward, two backward for activations, two for a trained weight; attention left out."""
    parameters = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return float(sum(count * (6 if is_trained else 4) for count, is_trained in parameters))


def _peak_flops() -> float:
    """Of this device in bfloat16; not a number where TRL does not know it."""
    import torch
    from trl.trainer.utils import get_peak_flops

    return float(get_peak_flops(torch.cuda.get_device_name(), "bfloat16") or math.nan)


if __name__ == "__main__":
    main()
