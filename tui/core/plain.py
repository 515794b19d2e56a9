"""Values in the types that JSON knows."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """The value as JSON has it: dates in ISO 8601, paths as text, null for what is not finite.

    >>> plain({1: (0.5, float("nan")), "when": date(2026, 11, 23)})
    {'1': [0.5, None], 'when': '2026-11-23'}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    return [plain(item) for item in value] if isinstance(value, Iterable) else str(value)
