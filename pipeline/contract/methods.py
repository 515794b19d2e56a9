"""Writes docs/methods.md from the rules: `python -m pipeline.contract.methods [--check] FILE`.

Every cell of the table is a set of params that the rules were asked about, so the page cannot say more than the code.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.contract.loading import check_params
from pipeline.contract.problems import ParamsError
from pipeline.contract.reference import publish

Overrides = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """One row or column of the table: a method or an objective."""

    name: str
    """How the field calls it."""
    overrides: Overrides
    """Params that choose it, by dotted key."""
    needs: str = ""
    """What it needs besides the params."""


METHODS = (
    Choice("full fine-tuning", {"train.peft": "none"}),
    Choice("LoRA", {"train.peft": "lora"}),
    Choice("rsLoRA", {"train.peft": "lora", "train.lora.rslora": True}),
    Choice("DoRA", {"train.peft": "lora", "train.lora.dora": True}),
    Choice("PiSSA", {"train.peft": "lora", "train.lora.init": "pissa"}),
    Choice("OLoRA", {"train.peft": "lora", "train.lora.init": "olora"}),
    Choice("QLoRA", {"train.peft": "lora", "train.lora.quantization": "nf4"}, needs="CUDA"),
    Choice("IA3", {"train.peft": "ia3"}),
    Choice("prompt tuning", {"train.peft": "prompt_tuning"}),
    Choice("prefix tuning", {"train.peft": "prefix_tuning"}),
    Choice("P-tuning", {"train.peft": "p_tuning"}),
)
_TEACHER = {"teacher.source": "starter", "train.objective": "distill", "train.max_rows": 8}
_VERIFIABLE = {"align.rewards.exact_match": 1.0}
OBJECTIVES = (
    Choice("SFT", {"train.objective": "sft"}),
    Choice("SFT, packed", {"train.objective": "sft", "train.packing": True}),
    Choice("distil: answers", _TEACHER | {"train.distill.level": "sequence"}),
    Choice("distil: logits", _TEACHER | {"train.distill.level": "logit"}),
    Choice("distil: on-policy", _TEACHER | {"train.distill.level": "on_policy"}),
    Choice("reward model: score", {"reward.objective": "bradley_terry"}),
    Choice("reward model: likelihood", {"reward.objective": "likelihood"}),
    Choice("DPO", {"align.objective": "dpo"}),
    Choice("KTO", {"align.objective": "kto"}),
    Choice("RLOO", {"align.objective": "rloo"} | _VERIFIABLE),
    Choice("GRPO", {"align.objective": "grpo"} | _VERIFIABLE),
)
ALIGNED_BY = ("lora", "none", "continue")
"""Values of align.peft, the default first."""

_HEADER = """# Methods and objectives

What is trained (rows, `train.peft` and `train.lora`) and what is learned (columns). The rows of the columns from
"reward model" on are what `train` did before; `align.peft` says what the alignment itself trains. This page is made
from the rules that every run checks before it loads a model (`make docs`).

Each cell that says yes, or a value of `align.peft`, is trained by tests/unit/test_methods.py, on the CPU, on a tiny
random model that transformers saved in a folder: GPT-2, Llama or Qwen3 in turn, so that each row and each column meets
all three. Cells that name a need were not tried: QLoRA wants bitsandbytes and a CUDA device, and is refused without.
"""


def page() -> str:
    """The whole page."""
    notes: dict[str, int] = {}
    head = "| | " + " | ".join(objective.name for objective in OBJECTIVES) + " |"
    lines = [head, "|---" * (len(OBJECTIVES) + 1) + "|"]
    for method in METHODS:
        cells = (_cell(method, objective, notes) for objective in OBJECTIVES)
        lines.append(f"| {method.name} | " + " | ".join(cells) + " |")
    footnotes = "\n".join(f"{number}. {text}" for text, number in notes.items())
    return f"{_HEADER}\n" + "\n".join(lines) + f"\n\nRefused, and the way out:\n\n{footnotes}\n"


def nested(*overrides: Overrides) -> dict[str, Any]:
    """Values by section, as params.yaml has them; later ones win."""
    values: dict[str, Any] = {}
    for key, value in (item for group in overrides for item in group.items()):
        *sections, name = key.split(".")
        place = values
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return values


def problems_of(*overrides: Overrides) -> list[str]:
    """What the rules have against these params, as `key` and reason."""
    try:
        check_params(nested(*overrides))
    except ParamsError as error:
        return [f"`{problem.key}` {problem.allowed}" for problem in error.problems]
    return []


def ways_to_align(method: Choice, objective: Choice) -> list[str]:
    """Values of align.peft that work for an alignment of what a method left."""
    return [way for way in ALIGNED_BY if not problems_of(method.overrides, objective.overrides, {"align.peft": way})]


def _cell(method: Choice, objective: Choice, notes: dict[str, int]) -> str:
    if method.needs:
        return method.needs
    if "align.objective" in objective.overrides:
        ways = ways_to_align(method, objective)
        if ways:
            return "yes" if ways[0] == ALIGNED_BY[0] else f"`{ways[0]}`"
    problems = problems_of(method.overrides, objective.overrides)
    if not problems:
        return "yes"
    return ", ".join(f"no ({notes.setdefault(problem, len(notes) + 1)})" for problem in problems)


if __name__ == "__main__":
    sys.exit(publish(page(), sys.argv[1:]))
