"""Combinations of reward model, rewards and alignment that do not work."""

import re

from pipeline.contract.params import Params, Rewards
from pipeline.contract.rules.adapting import SOFT_PROMPTS, peft_left
from pipeline.contract.rules.rule import Rule

_POLICY = ("rloo", "grpo")
_PREFERENCE = ("dpo", "kto")


def _is_soft_prompt(params: Params) -> bool:
    """Whether `train` leaves a soft prompt, on which nothing can be put."""
    return peft_left(params) in SOFT_PROMPTS


def _compares(params: Params) -> bool:
    """Whether pairs of answers are learned from; kto takes rated ones, too."""
    return params.reward.objective != "none" or params.align.objective == "dpo"


def _weights(rewards: Rewards) -> list[float]:
    own = [function.weight for function in rewards.functions]
    return [rewards.exact_match, rewards.chrf, rewards.format, rewards.length_penalty, rewards.reward_model, *own]


def _does_not_compile(pattern: str | None) -> bool:
    try:
        re.compile(pattern or "")
    except re.error:
        return True
    return False


def _num_completions(params: Params) -> int:
    """Completions of one optimizer step."""
    return params.align.batch_size * params.align.gradient_accumulation_steps * params.align.num_processes


ALIGNING_RULES = (
    Rule(
        "prepare.preferences.source",
        lambda p: p.prepare.preferences.source == "none" and (_compares(p) or p.align.objective == "kto"),
        "reward models, dpo and kto learn from comparisons of answers: name a file with some, or set it to auto",
    ),
    Rule(
        "prepare.preferences.format",
        lambda p: p.prepare.preferences.format == "rated" and _compares(p),
        "reward models and dpo compare two answers, and rated ones come alone: give pairs, or set align.objective to "
        "kto and reward.objective to none",
    ),
    Rule(
        "reward.objective",
        lambda p: p.reward.objective != "none" and _is_soft_prompt(p),
        "the model as `train` leaves it ends in a soft prompt, on which neither score nor adapter can be put; "
        "train with another method, or set it to none",
    ),
    Rule(
        "align.peft",
        lambda p: p.align.objective != "none" and p.align.peft != "continue" and _is_soft_prompt(p),
        "the model as `train` leaves it ends in a soft prompt, on which nothing can be put; set it to continue",
    ),
    Rule(
        "align.peft",
        lambda p: p.align.objective != "none" and p.align.peft == "continue" and peft_left(p) == "none",
        "the model as `train` leaves it has no adapter to go on with; set it to lora or none",
    ),
    Rule(
        "align.gradient_checkpointing",
        lambda p: p.align.objective != "none" and p.align.gradient_checkpointing and peft_left(p) == "prefix_tuning",
        "the model as `train` leaves it has a prefix, which is lost where activations are computed again; "
        "set it to false",
    ),
    Rule(
        "align.lora.dropout",
        lambda p: (
            p.align.objective != "none"
            and p.align.peft == "lora"
            and p.align.lora.dropout > 0
            # With these it is refused for another reason.
            and p.align.lora.init not in ("pissa", "olora")
        ),
        "dropout is off in alignment, where policy and reference would differ by chance; set it to 0",
    ),
    Rule(
        "align.batch_size",
        lambda p: p.align.objective == "kto" and p.align.batch_size == 1,
        "align.objective is 'kto', which compares an answer with others of its batch; set it to 2 or more",
    ),
    Rule(
        "align.dpo.label_smoothing",
        lambda p: (
            p.align.objective == "dpo" and "exo_pair" in list(p.align.dpo.loss) and p.align.dpo.label_smoothing == 0
        ),
        "align.dpo.loss has 'exo_pair', which needs more than 0; usual is 0.001",
    ),
    Rule(
        "align.sharding",
        lambda p: p.align.objective in _POLICY and p.align.sharding == "fsdp2",
        "each process answers other prompts, and with split weights all would wait for the longest; set it to none",
    ),
    Rule(
        "align.beta",
        lambda p: p.align.objective in _PREFERENCE and p.align.beta == 0,
        "with 0 the loss is the same for every model, so nothing would be learned; usual is 0.1",
    ),
    Rule(
        "align.dpo.loss_weights",
        lambda p: (
            p.align.dpo.loss_weights is not None and len(list(p.align.dpo.loss_weights)) != len(list(p.align.dpo.loss))
        ),
        "needs one weight for each loss in align.dpo.loss",
    ),
    Rule(
        "align.rollout.num_generations",
        lambda p: p.align.objective in _POLICY and _num_completions(p) % p.align.rollout.num_generations != 0,
        "must divide align.batch_size x gradient_accumulation_steps x num_processes: "
        "the completions of a prompt are compared within one step",
    ),
    Rule(
        "align.rewards",
        lambda p: p.align.objective in _POLICY and not any(_weights(p.align.rewards)),
        "every weight is 0, so all completions would be worth the same; give one a weight, such as exact_match: 1.0",
    ),
    Rule(
        "align.rewards.reward_model",
        lambda p: p.align.rewards.reward_model != 0 and p.reward.objective == "none",
        "needs a reward model: set reward.objective to bradley_terry or likelihood",
    ),
    Rule(
        "align.rewards.format_pattern",
        lambda p: p.align.rewards.format != 0 and p.align.rewards.format_pattern is None,
        "align.rewards.format has a weight: give the pattern that an answer must match",
    ),
    Rule(
        "align.rewards.format_pattern",
        lambda p: _does_not_compile(p.align.rewards.format_pattern),
        "is not a regular expression",
    ),
)
