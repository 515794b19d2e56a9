"""Combinations of base model and data that do not work."""

from pipeline.contract.params import Params, StarterModel
from pipeline.contract.rules.rule import Rule


def _needs(params: Params, other: str | None) -> bool:
    """Whether a column must be named because the format or the other column asks for it."""
    return params.prepare.format == "columns" or (params.prepare.format == "auto" and other is not None)


def _starter(params: Params, section: str) -> StarterModel:
    return params.base.starter if section == "base" else params.teacher.starter


def _shape_rules(section: str) -> tuple[Rule, ...]:
    """What a decoder's numbers must have to do with each other."""
    key = f"{section}.starter"
    return (
        Rule(
            f"{key}.num_heads",
            lambda p: _starter(p, section).hidden_size % _starter(p, section).num_heads != 0,
            f"must divide {key}.hidden_size",
        ),
        Rule(
            f"{key}.num_heads",
            lambda p: _starter(p, section).hidden_size // _starter(p, section).num_heads % 2 != 0,
            "hidden_size / num_heads must be even: rotary positions turn pairs of values",
        ),
        Rule(
            f"{key}.num_kv_heads",
            lambda p: _starter(p, section).num_heads % _starter(p, section).num_kv_heads != 0,
            f"must divide {key}.num_heads",
        ),
    )


INPUT_RULES = (
    Rule(
        "base.revision",
        lambda p: p.base.revision is not None and p.base.source == "starter",
        "only a hub id has revisions, and base.source is 'starter'; set it to null",
    ),
    *_shape_rules("base"),
    *_shape_rules("teacher"),
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
)
