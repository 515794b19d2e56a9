"""What a rule is."""

from collections.abc import Callable
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
