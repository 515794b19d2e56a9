"""How a change against the baseline is drawn: the arrow says better or worse, the sign says more or less."""

from tui.core.comparison import MetricCell
from tui.core.values import format_delta, format_value

_ARROWS = {"better": "▲ ", "worse": "▼ ", "equal": "", "none": "", "noise": "~ "}
_STYLES = {"better": "good", "worse": "bad", "equal": "muted", "none": "", "noise": "muted"}


def delta_cell(cell: MetricCell, name: str) -> tuple[str, str]:
    """Only the change."""
    return _ARROWS[cell.verdict] + format_delta(cell.delta, name), _STYLES[cell.verdict]


def value_and_delta_cell(cell: MetricCell, name: str) -> tuple[str, str]:
    """The value and its change."""
    delta, style = delta_cell(cell, name)
    value = format_value(cell.value, name)
    return (f"{value}  {delta:>9}" if delta else value), style
