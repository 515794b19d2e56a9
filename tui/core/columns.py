"""Which columns a table of experiments gets, in which order, and how it is sorted by them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.contract.metrics import Direction, direction
from pipeline.contract.paths import METRICS_DIR
from tui.core.column_index import KeyIndex
from tui.core.experiments import Experiment
from tui.core.keys import MISSING, Key
from tui.core.methods import TOLD, applies, method_of
from tui.core.values import format_param, format_value

_FIRST_METRICS = (
    "test/exact_match", "test/reward", "test/accuracy", "pairs/accuracy", "test/loss", "test/kl",
    "model/num_trainable_parameters", "train/duration_s", "evaluate/tokens_per_second", "start/exact_match",
    "align/reward", "align/kl", "test/chrf", "model/num_parameters", "train/peak_memory_bytes", "model/adapter_bytes",
    "align/duration_s", "test/rouge_l", "test/perplexity", "validation/loss", "train/loss",
    "align/completion_tokens", "train/tokens_per_second", "base/exact_match",
)  # fmt: skip
_FIRST_PARAMS = (
    "train.learning_rate", "align.learning_rate", "train.lora.r", "train.prompt_tuning.num_virtual_tokens",
    "train.p_tuning.num_virtual_tokens", "train.prefix_tuning.num_virtual_tokens", "train.max_rows",
    "train.num_epochs", "train.max_steps", "align.beta", "align.num_epochs", "align.max_steps", "train.batch_size",
    "align.batch_size", "base.source", "base.starter.hidden_size", "base.starter.num_layers", "prepare.source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table of experiments."""

    kind: Literal["method", "param", "metric"]
    text: str
    """Full name, as filters and the command line take it."""
    title: str
    """Short name for the header."""
    direction: Direction
    varies: bool
    """Whether experiments differ in it."""
    key: Key | None = None

    def value(self, experiment: Experiment) -> Any:
        """Value of a row; MISSING if it has none, or if the param means nothing to its method."""
        if self.key is None:
            return method_of(experiment) or MISSING
        if self.kind == "param" and not applies(self.key.name, experiment):
            return MISSING
        return self.key.value(experiment)

    def format(self, experiment: Experiment) -> str:
        """Value of a row as text."""
        value = self.value(experiment)
        return format_value(value, self.text) if self.kind == "metric" else format_param(value)


def choose_columns(experiments: Sequence[Experiment]) -> list[Column]:
    """The method, params that vary, metrics that vary, then what is the same in all rows; each by importance."""
    index = KeyIndex()
    index.update(experiments)
    return columns_of(index)


def columns_of(index: KeyIndex) -> list[Column]:
    """Columns of rows that were looked at before."""
    methods = index.methods
    columns = [Column("method", "method", "method", "none", len(methods) > 1)] if methods else []
    params = [
        Column("param", key.text, short_title(key), "none", varies, key) for key, varies in index.params.known_keys()
    ]
    metrics = [
        Column("metric", key.text, short_title(key), direction(key.text), varies, key)
        for key, varies in index.metrics.known_keys()
    ]
    rest = [column for column in params if not (methods and column.text in TOLD)]
    rest = sorted(rest, key=lambda column: _position(_FIRST_PARAMS, column.text))
    rest += sorted(metrics, key=lambda column: metric_order(column.text))
    return columns + [column for column in rest if column.varies] + [column for column in rest if not column.varies]


def metric_order(text: str) -> tuple[int, str]:
    """Sort key that puts the metrics that matter most first."""
    name = text.rpartition(":")[2]
    return _position(_FIRST_METRICS, name), text if name in _FIRST_METRICS else ""


def _position(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def short_title(key: Key) -> str:
    """A name that fits a header: finetui's sections are left out, a file is named by its stage."""
    if key.side == "param":
        return key.name.removeprefix("train.") if key.path in {None, "params.yaml"} else key.text
    if key.path is None:
        return key.name
    folder = METRICS_DIR.as_posix() + "/"
    stage = key.path.removeprefix(folder).partition("/")[0] if key.path.startswith(folder) else key.path
    return f"{stage}:{key.name}"


class _Backwards:
    """A text that sorts the other way round."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Backwards) and self.text == other.text

    def __lt__(self, other: "_Backwards") -> bool:
        return other.text < self.text

    __hash__ = None  # type: ignore[assignment]  # only ever compared


def sort_key(column: Column, descending: bool = False) -> Callable[[Experiment], tuple[bool, int, Any]]:
    """Key function for `sorted`: numbers before text, text before the rest; what is missing, or not a number, comes
    last in both directions."""

    value_of = column.key.value if column.kind == "metric" and column.key is not None else column.value

    def key(experiment: Experiment) -> tuple[bool, int, Any]:
        value = value_of(experiment)
        if value is MISSING or value is None or value != value:
            return True, 0, 0
        if isinstance(value, int | float):
            return False, 0, -value if descending else value
        text, rank = str(value).casefold(), 1 if isinstance(value, str) else 2
        return (False, -rank, _Backwards(text)) if descending else (False, rank, text)

    return key
