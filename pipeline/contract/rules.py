"""Combinations of params that do not work, as data: each rule names its keys and the way out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.contract.params import Params


@dataclass(frozen=True, slots=True)
class Rule:
    """One impossible combination."""

    key: str
    """The key to report."""
    broken: Callable[[Params], bool]
    """Whether the params break it."""
    allowed: str
    """Reason, other key and way out."""


def _needs(params: Params, other: str | None) -> bool:
    """Whether a column must be named because the format or the other column asks for it."""
    return params.prepare.format == "columns" or (params.prepare.format == "auto" and other is not None)


RULES = (
    Rule(
        "base.revision",
        lambda p: p.base.revision is not None and p.base.source == "starter",
        "only a hub id has revisions, and base.source is 'starter'; set it to null",
    ),
    Rule(
        "base.starter.num_heads",
        lambda p: p.base.starter.hidden_size % p.base.starter.num_heads != 0,
        "must divide base.starter.hidden_size",
    ),
    Rule(
        "base.starter.num_heads",
        lambda p: p.base.starter.hidden_size // p.base.starter.num_heads % 2 != 0,
        "hidden_size / num_heads must be even: rotary positions turn pairs of values",
    ),
    Rule(
        "base.starter.num_kv_heads",
        lambda p: p.base.starter.num_heads % p.base.starter.num_kv_heads != 0,
        "must divide base.starter.num_heads",
    ),
    Rule(
        "prepare.test_fraction",
        lambda p: p.prepare.validation_fraction + p.prepare.test_fraction >= 1,
        "together with prepare.validation_fraction it must stay below 1, or nothing is left to train on",
    ),
    Rule(
        "prepare.columns.prompt",
        lambda p: p.prepare.columns.prompt is None and _needs(p, p.prepare.columns.completion),
        "name the column that holds the prompt: prepare.format or prepare.columns.completion asks for it",
    ),
    Rule(
        "prepare.columns.completion",
        lambda p: p.prepare.columns.completion is None and _needs(p, p.prepare.columns.prompt),
        "name the column that holds the completion: prepare.format or prepare.columns.prompt asks for it",
    ),
    Rule(
        "prepare.columns",
        lambda p: (
            p.prepare.format not in ("auto", "columns")
            and (p.prepare.columns.prompt is not None or p.prepare.columns.completion is not None)
        ),
        "prompt and completion are read only when prepare.format is 'columns' or 'auto'; set them to null",
    ),
    Rule(
        "train.packing",
        lambda p: p.train.packing and p.train.peft == "prompt_tuning",
        "train.peft is 'prompt_tuning': packed rows would see each other, not the soft prompt; set it to false",
    ),
    Rule(
        "train.prompt_tuning.init_text",
        lambda p: (
            p.train.peft == "prompt_tuning"
            and p.train.prompt_tuning.init == "text"
            and not p.train.prompt_tuning.init_text
        ),
        "train.prompt_tuning.init is 'text': give the text to start from",
    ),
    Rule(
        "train.lora.target_modules",
        lambda p: p.train.peft == "lora" and "lm_head" in p.train.lora.target_modules,
        "the trainer computes the loss without the output layer's adapter; leave lm_head out",
    ),
)


def broken_rules(params: Params) -> Iterator[Rule]:
    """The rules that these params break."""
    return (rule for rule in RULES if rule.broken(params))
