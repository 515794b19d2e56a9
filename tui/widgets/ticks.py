"""Round numbers for the axes of a chart, and numbers as people write them."""

import math
import sys
from collections.abc import Sequence
from itertools import pairwise

_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_SMALLEST_STEP = 1e-300


def nice_step(extent: float, num_ticks: int) -> float:
    """The round step (1, 2 or 5 times a power of ten) that gives about `num_ticks` ticks."""
    raw = max(extent / max(num_ticks, 1), _SMALLEST_STEP)
    power = 10.0 ** math.floor(math.log10(raw))
    for factor, limit in ((1, 1.4), (2, 3), (5, 7)):
        if raw < limit * power:
            return factor * power
    return 10 * power


def linear_ticks(low: float, high: float, num_ticks: int, *, whole: bool = False) -> list[float]:
    """About `num_ticks` round numbers within [low, high]; if asked for, only whole ones."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else []
    step = nice_step(min(high - low, sys.float_info.max), num_ticks)
    step = max(step, 1.0) if whole else step
    first = math.ceil(low / step - 1e-9)
    ticks = [(first + i) * step for i in range(2 * num_ticks + 2)]
    return [tick for tick in ticks if tick <= high + step * 1e-9 and math.isfinite(tick)]


def log_ticks(low: float, high: float, num_ticks: int) -> list[float]:
    """Exponents of ten at which a logarithmic axis is labelled: whole decades if there are enough of them."""
    decades = [float(e) for e in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)]
    if len(decades) >= 2:
        stride = max(1.0, nice_step(high - low, num_ticks))
        return [decade for decade in decades if decade % stride == 0]
    if abs(low) > 290 or abs(high) > 290:
        return decades
    values = linear_ticks(10.0**low, 10.0**high, num_ticks)
    return [math.log10(value) for value in values if value > 0]


def log_labels(ticks: Sequence[float]) -> list[str]:
    """Labels of the powers of ten with these exponents."""
    return [f"1e{tick:.0f}" if tick == int(tick) and abs(tick) >= 6 else short_number(10.0**tick) for tick in ticks]


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Labels with a common unit and just enough decimals to tell the ticks apart."""
    if not ticks:
        return []
    largest = max(abs(tick) for tick in ticks)
    step = min((abs(b - a) for a, b in pairwise(ticks)), default=largest) or largest
    if largest and (largest >= 1e12 or largest < 1e-3):
        return [scientific(tick, step) for tick in ticks]
    unit, suffix = next(((u, s) for u, s in _UNITS if largest >= 10 * u), (1.0, ""))
    decimals = _decimals(step / unit) if step else 0
    return [f"{tick / unit:.{decimals}f}{suffix}" if tick else "0" for tick in ticks]


def _decimals(step: float) -> int:
    """Digits after the point that a multiple of `step` needs."""
    decimals = max(0, -math.floor(math.log10(step)))
    return min(12, decimals)


def scientific(value: float, step: float) -> str:
    """Short scientific notation: `1e-5`, `2.5e12`."""
    if not value:
        return "0"
    digits = max(0, math.floor(math.log10(abs(value))) - math.floor(math.log10(step or abs(value))))
    mantissa, exponent = f"{value:.{min(digits, 6)}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def short_number(value: float) -> str:
    """Four significant digits, as for a legend."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}∞"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def step_number(value: float) -> str:
    """A step as a person writes it: whole numbers with thousands separators."""
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else short_number(value)
