"""Which columns a table of experiments gets, in which order, and how it is sorted by them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import total_ordering
from typing import Any, Literal

from pipeline.contract.metrics import Direction, direction
from pipeline.contract.paths import METRICS_DIR
from tui.core.experiments import Experiment
from tui.core.keys import MISSING, Key, Side, all_keys, same, varying
from tui.core.values import format_param, format_value

_FIRST_METRICS = (
    "test/exact_match", "test/accuracy", "test/loss", "test/chrf", "model/num_trainable_parameters",
    "train/duration_s", "train/peak_memory_bytes", "model/adapter_bytes", "test/rouge_l", "test/perplexity",
    "validation/loss", "train/loss", "train/tokens_per_second", "evaluate/tokens_per_second", "base/exact_match",
)  # fmt: skip
_FIRST_PARAMS = (
    "train.learning_rate", "train.lora.r", "train.prompt_tuning.num_virtual_tokens", "train.num_epochs",
    "train.max_steps", "train.batch_size", "base.source", "prepare.source",
)  # fmt: skip
_NEEDS_PEFT = {"train.lora.": "lora", "train.prompt_tuning.": "prompt_tuning"}
_IN_METHOD = {"train.objective", "train.peft"}
_PEFT = Key("param", "train.peft")
_OBJECTIVE = Key("param", "train.objective")


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
    params, metrics = _columns(experiments, "param"), _columns(experiments, "metric")
    methods = {method_of(experiment) for experiment in experiments} - {None}
    columns = [Column("method", "method", "method", "none", len(methods) > 1)] if methods else []
    rest = [column for column in params if not (methods and column.text in _IN_METHOD)]
    rest = sorted(rest, key=lambda column: _position(_FIRST_PARAMS, column.text))
    rest += sorted(metrics, key=lambda column: metric_order(column.text))
    return columns + [column for column in rest if column.varies] + [column for column in rest if not column.varies]


def _columns(experiments: Sequence[Experiment], side: Side) -> list[Column]:
    candidates = varying(experiments, side)
    names = {name for _, name in candidates}
    columns = []
    for key in all_keys(experiments, side):
        way = direction(key.text) if side == "metric" else "none"
        column = Column(side, key.text, short_title(key), way, key.name in names, key)
        columns.append(replace(column, varies=_varies(column, experiments)) if column.varies else column)
    return columns


def _varies(column: Column, experiments: Sequence[Experiment]) -> bool:
    values = (value for value in map(column.value, experiments) if value is not MISSING)
    first = next(values, MISSING)
    return any(not same(value, first) for value in values)


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


def method_of(experiment: Experiment) -> str | None:
    """What a finetui experiment does with the model: base, full, lora, prompt tuning; None in other projects."""
    peft, objective = _PEFT.value(experiment), _OBJECTIVE.value(experiment)
    if not isinstance(peft, str) or not isinstance(objective, str):
        return None
    if objective == "none":
        return "base"
    name = "full" if peft == "none" else peft.replace("_", " ")
    return name if objective == "sft" else f"{objective} {name}"


def applies(name: str, experiment: Experiment) -> bool:
    """Whether a param of a finetui experiment has any effect: the rank means nothing to a soft prompt."""
    if not name.startswith("train."):
        return True
    method = method_of(experiment)
    if method is None or name in _IN_METHOD:
        return True
    needed = next((peft for prefix, peft in _NEEDS_PEFT.items() if name.startswith(prefix)), None)
    return method != "base" and (needed is None or _PEFT.value(experiment) == needed)


@total_ordering
class _Ordered:
    """A value that can be compared with any other: numbers before text, text before the rest."""

    __slots__ = ("_descending", "_rank", "_value")

    def __init__(self, value: Any, descending: bool) -> None:
        if isinstance(value, int | float):
            self._rank = 0
        else:
            self._rank = 1 if isinstance(value, str) else 2
            value = str(value).casefold()
        self._value, self._descending = value, descending

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Ordered) and (self._rank, self._value) == (other._rank, other._value)

    def __lt__(self, other: "_Ordered") -> bool:
        one, two = (other, self) if self._descending else (self, other)
        return bool((one._rank, one._value) < (two._rank, two._value))

    __hash__ = None  # type: ignore[assignment]  # only ever compared


def sort_key(column: Column, descending: bool = False) -> Callable[[Experiment], tuple[bool, Any]]:
    """Key function for `sorted`; what is missing, or not a number, comes last in both directions."""

    def key(experiment: Experiment) -> tuple[bool, Any]:
        value = column.value(experiment)
        missing = value is MISSING or value is None or value != value
        return missing, 0 if missing else _Ordered(value, descending)

    return key
