"""What a good commit fulfils: `test/exact_match >= 0.9`."""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tui.core.errors import UsageError
from tui.core.values import as_float

_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne,
    ">": operator.gt, "<": operator.lt, "=": operator.eq,
}  # fmt: skip
_FORM = re.compile(r"(?P<name>[^<>=!]+?)\s*(?P<sign>>=|<=|==|!=|>|<|=)\s*(?P<bound>[^<>=!]+)", re.DOTALL)
_SEVERAL = re.compile(r"[<>=].*(?:\s(?:and|or)\s|&|\||,\s*\S+\s*[<>=])", re.DOTALL)
_EXAMPLE = "for example: 'test/exact_match >= 0.9'"


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of one metric with a number."""

    name: str
    """Metric as it was typed."""
    sign: str
    bound: float

    def holds(self, value: Any) -> bool | None:
        """Whether a value fulfils it; None for what is missing or no finite number."""
        number = as_float(value)
        return None if number is None else _SIGNS[self.sign](number, self.bound)

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.bound:g}"


def parse_condition(text: str) -> Condition:
    """The condition that was typed; UsageError says what is wrong with it."""
    if _SEVERAL.search(text):
        raise UsageError(
            f"{text!r} is more than one condition", "the commit that is found would not say which one it broke",
            "bisect for one at a time",
        )  # fmt: skip
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is no condition", hint=_EXAMPLE)
    try:
        bound = float(found["bound"])
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise UsageError(f"{text!r}: {found['bound'].strip()!r} is no number", hint=_EXAMPLE)
    return Condition(found["name"].strip(), found["sign"], bound)
