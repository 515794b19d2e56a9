"""Values as text for tables: short, but never so short that two params look alike."""

import json
import math
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.contract.metrics import METRICS, last_part
from tui.core.keys import MISSING

if TYPE_CHECKING:
    from tui.core.examples import Interval

NOTHING = "-"
"""What stands for a value that is missing."""
_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_ABBREVIATED_FROM = 10_000
_FACTOR_FROM = 10.0
_SHARE_BOUNDS = (0.0995, 0.00095)
"""Below each one more digit is told."""
_SCIENTIFIC_FROM = 10**15


def is_number(value: Any) -> bool:
    """Whether arithmetic with it makes sense: true and false are no numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_float(value: Any) -> float | None:
    """A number to reckon with; None for what is no number, not finite, or too large."""
    try:
        number = float(value) if is_number(value) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def format_value(value: Any, key: str = "") -> str:
    """A metric: four significant digits, thousands as 12.3k, bytes as 1.1 GB; the rest as YAML would write it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return format_param(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if abs(value) >= _SCIENTIFIC_FROM:
        return f"{Decimal(value):.3e}"
    if _unit(key) == "bytes":
        return f"{_short(value, 1_000, 3, ' ')}B" if abs(value) >= 1_000 else f"{value:.4g} B"
    if isinstance(value, int) and abs(value) < _ABBREVIATED_FROM:
        return str(value)
    return _short(value, _ABBREVIATED_FROM, 3)


def format_param(value: Any) -> str:
    """A param, in full: digits of a seed or a learning rate are never dropped."""
    if value is MISSING:
        return NOTHING
    if value is None or isinstance(value, bool | list | dict | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def format_delta(delta: float | None, key: str = "") -> str:
    """A change with its sign; empty where there is none to tell."""
    if delta is None or math.isnan(delta):
        return ""
    return "=" if delta == 0 else f"{'+' if delta > 0 else '-'}{format_value(abs(delta), key)}"


def format_share(share: float | None) -> str:
    """A change as a share of what was there, from ten times on as a factor; empty where there is none to tell.

    >>> format_share(0.0123), format_share(-0.5), format_share(21.0), format_share(None)
    ('+1.2%', '-50%', 'x22', '')
    """
    if share is None or not math.isfinite(share):
        return ""
    if share >= _FACTOR_FROM:
        return f"x{_short(share + 1, _ABBREVIATED_FROM, 3)}"
    digits = sum(abs(share) < bound for bound in _SHARE_BOUNDS)
    return f"{share:+.{digits}%}"


def format_interval(interval: "Interval | None", key: str = "") -> str:
    """Both ends; empty without one."""
    if interval is None:
        return ""
    return f"[{format_value(interval.low, key)}, {format_value(interval.high, key)}]"


def format_p(p_value: float | None) -> str:
    """A p-value: three digits, and only its size where that is too few.

    >>> format_p(0.0123), format_p(2.3e-12), format_p(None)
    ('0.012', '2e-12', '')
    """
    if p_value is None:
        return ""
    return f"{p_value:.3f}" if p_value >= 0.001 else f"{p_value:.0e}"


@lru_cache(4096)
def _unit(key: str) -> str:
    metric = METRICS.get(last_part(key))
    return metric.unit if metric is not None else ""


def _short(value: float, threshold: float, digits: int, gap: str = "") -> str:
    size = abs(value)
    for factor, suffix in _SUFFIXES:
        if size >= max(threshold, factor * (1 - 0.5 * 10**-digits)):
            text = f"{value / factor:.{digits}g}"
            return f"{text if 'e' not in text else f'{value / factor:.0f}'}{gap}{suffix}"
    return f"{value:.4g}"
