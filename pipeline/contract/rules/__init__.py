"""Combinations of params that do not work, as data: each rule names its keys and the way out."""

from collections.abc import Iterator

from pipeline.contract.params import Params
from pipeline.contract.rules.adapting import ADAPTING_RULES
from pipeline.contract.rules.aligning import ALIGNING_RULES
from pipeline.contract.rules.distilling import DISTILLING_RULES
from pipeline.contract.rules.inputs import INPUT_RULES
from pipeline.contract.rules.rule import Rule

RULES = (*INPUT_RULES, *ADAPTING_RULES, *DISTILLING_RULES, *ALIGNING_RULES)


def broken_rules(params: Params) -> Iterator[Rule]:
    """The rules that these params break."""
    return (rule for rule in RULES if rule.broken(params))
