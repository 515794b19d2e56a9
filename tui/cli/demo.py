"""`make demo`: a new project, real experiments in it, and then the TUI (or, without a terminal, the table)."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.cli import reading, running
from tui.cli.context import Context
from tui.cli.output import has_terminal, print_error, print_line
from tui.core.errors import UserError
from tui.core.runs import Run, RunRequest


@dataclass(frozen=True, slots=True)
class DemoRow:
    """One experiment of the demo."""

    name: str
    seconds: float
    """How long it takes on one core when what it shares is there, to start the longest first."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    """Rows that make what this one takes out of the run cache: a base model, a teacher, a start."""


# Learning rates and lengths are each method's own, as docs/experiments.md found them.
_TEACHER = {"teacher.source": "starter", "teacher.train.max_rows": 600}
_STUDENT = {
    "base.starter.hidden_size": 96, "base.starter.num_layers": 2, "base.starter.num_heads": 2,
    "base.starter.num_kv_heads": 2, "train.peft": "none", "train.learning_rate": 4.0e-3, "train.max_rows": 600,
    "train.max_steps": 894,
}  # fmt: skip
_DISTILL = {"train.objective": "distill", "train.distill.level": "logit"}
_FEW = {"train.max_rows": 150}
_ALIGN = {"align.learning_rate": 2.0e-3, "align.eval_fraction": 0.25}
_DPO = {
    "align.objective": "dpo", "align.dpo.loss": ["nca_pair"], "align.beta": 0.3, "align.max_steps": 75,
}  # fmt: skip
_GRPO = {
    "align.objective": "grpo", "align.rewards.exact_match": 1.0, "align.beta": 0.01, "align.max_steps": 80,
}  # fmt: skip
_REWARD = {"reward.objective": "likelihood", "reward.learning_rate": 2.0e-3, "reward.max_steps": 75}
_RLOO = {
    "align.objective": "rloo", "align.rewards.reward_model": 1.0, "align.beta": 0.05, "align.max_steps": 40,
}  # fmt: skip
_ROLLOUTS = {"align.batch_size": 64, "align.rollout.max_new_tokens": 32}

EXPERIMENTS: tuple[DemoRow, ...] = (
    DemoRow("base", 180, {"train.objective": "none"}),
    DemoRow("prompt-tuning", 90, {"train.peft": "prompt_tuning", "train.learning_rate": 3.0e-2}, ("base",)),
    DemoRow("full", 90, {"train.peft": "none", "train.learning_rate": 1.0e-3}, ("base",)),
    DemoRow("lora", 90, {"train.lora.r": 8}, ("base",)),
    DemoRow("dora", 120, {"train.lora.r": 8, "train.lora.dora": True}, ("base",)),
    DemoRow("prefix-tuning", 90, {"train.peft": "prefix_tuning", "train.learning_rate": 1.0e-1}, ("base",)),
    DemoRow("teacher", 300, {**_TEACHER, "train.objective": "teacher"}, ("base",)),
    DemoRow("student", 180, _STUDENT),
    DemoRow("student-distilled", 90, {**_STUDENT, **_TEACHER, **_DISTILL}, ("teacher", "student")),
    DemoRow("sft-few", 40, _FEW, ("base",)),
    DemoRow("sft-dpo", 100, {**_FEW, **_ALIGN, **_DPO}, ("sft-few",)),
    DemoRow("sft-grpo", 160, {**_FEW, **_ALIGN, **_GRPO, **_ROLLOUTS}, ("sft-few",)),
    DemoRow("rm-rloo", 180, {**_FEW, **_REWARD, **_ALIGN, **_RLOO, **_ROLLOUTS}, ("sft-few",)),
)
"""The story, in the order in which it is told."""
QUICK = EXPERIMENTS[:4]
"""What `make demo-quick` keeps to."""
_AGAIN = "-try-"
"""Joins the name and the number of a second try, after one that failed or was stopped."""
_NUM_SLOTS = 2
"""Runs at once: a small model trains on one core."""


def main(arguments: list[str]) -> int:
    """Run what is not there yet, then show it all."""
    parser = argparse.ArgumentParser(prog="demo", description="Run real experiments in a new project and show them.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--quick", action="store_true", help="only the first four experiments")
    options = parser.parse_args(arguments)
    context = Context(options.directory)
    try:
        _ensure_project(context.directory)
        if not _run_all(context, QUICK if options.quick else EXPERIMENTS):
            return 1
        return _show(context)
    except UserError as error:
        print_error(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _ensure_project(directory: Path) -> None:
    from tui.dvc.template import create_project

    if (directory / ".dvc").is_dir():
        print_line(f"{directory}: goes on where it was")
        return
    create_project(directory)
    print_line(f"{directory}: a new project")


def _run_all(context: Context, wanted: Sequence[DemoRow]) -> bool:
    """Run what is missing, the longest chain first; a row waits for those that make what it shares with them."""
    rows = [row for row in context.experiments() if row.kind == "experiment"]
    active = [run for run in context.runner.runs() if run.is_active]
    requests = []
    for one in in_order(wanted):
        tries = [row for row in rows if row.name and demo_name(row.name) == one.name]
        states = {row.status for row in tries}
        state = next((state for state in ("done", "running", "queued") if state in states), "to run")
        print_line(f"  {one.name}: {state}")
        if state == "to run":
            requests.append(RunRequest(one.overrides, f"{one.name}{_AGAIN}{len(tries) + 1}" if tries else one.name))
    return running.run_all(context, requests, _NUM_SLOTS, active, next_request)


def in_order(rows: Sequence[DemoRow]) -> list[DemoRow]:
    """The row first behind which most is left to do."""
    return sorted(rows, key=lambda row: -_chain_s(row, rows))


def _chain_s(row: DemoRow, rows: Sequence[DemoRow]) -> float:
    return row.seconds + max((_chain_s(other, rows) for other in rows if row.name in other.after), default=0.0)


def next_request(waiting: Sequence[RunRequest], active: Sequence[Run | RunRequest]) -> RunRequest | None:
    """The first one that waits for none of the others; one that failed keeps nobody waiting."""
    pending = {demo_name(one.name or "") for one in (*waiting, *active)}
    after = {row.name: row.after for row in EXPERIMENTS}
    return next((one for one in waiting if pending.isdisjoint(after.get(demo_name(one.name or ""), ()))), None)


def demo_name(name: str) -> str:
    """The row that an experiment is a try of.

    >>> demo_name("lora-try-2"), demo_name("sft-dpo")
    ('lora', 'sft-dpo')
    """
    return name.partition(_AGAIN)[0]


def _show(context: Context) -> int:
    if has_terminal():
        from tui.app import run_app

        return run_app(context.directory)
    return reading.experiments(
        context, argparse.Namespace(form="text", filter="", sort="", reverse=False, all_columns=False)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
