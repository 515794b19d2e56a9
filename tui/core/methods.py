"""What a finetui experiment does with the model, in a few words, and which of its params have any effect on that."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tui.core.experiments import Experiment, flatten
from tui.core.keys import MISSING, flat
from tui.core.memo import Memo

Get = Callable[[str], Any]
"""Value of a dotted key; MISSING where there is none."""

TOLD = {
    "train.objective", "train.peft", "train.lora.dora", "train.lora.rslora", "train.lora.quantization",
    "reward.objective", "align.objective",
}  # fmt: skip
"""Params that the name of the method tells."""

_NAMING = (
    "train.objective", "train.peft", "train.lora.init", "train.lora.dora", "train.lora.rslora",
    "train.lora.quantization", "reward.objective", "align.objective", "align.rewards.reward_model",
)  # fmt: skip
"""Params that the name of the method is made of."""
_PEFTS = {"none": "full", "prompt_tuning": "prompt tuning", "prefix_tuning": "prefix tuning", "p_tuning": "p tuning"}
_HANDED_ON = {"none": "base", "teacher": "teacher", "merge": "merge"}
_STARTED = ("pissa", "olora")
_FROM_REWARDS = ("rloo", "grpo")
_NONE = (None, "none")
_SAMPLES = ("num_samples", "sample_interval", "sample_max_new_tokens")


@dataclass(frozen=True, slots=True)
class Need:
    """Params that have an effect only while another one has certain values."""

    names: tuple[str, ...]
    """Keys, or what they begin with if it ends in a dot."""
    key: str
    """The one that decides; empty if nothing ever gives them an effect."""
    values: tuple[Any, ...] = ()
    """What it must be."""
    other_than: tuple[Any, ...] = ()
    """What it must not be; used where values is empty."""
    but: tuple[str, ...] = ()
    """Those that have an effect nevertheless."""

    def concerns(self, name: str) -> bool:
        """Whether this is about a key."""
        return _begins(name, self.names) and not _begins(name, self.but)

    def is_met(self, get: Get) -> bool:
        """Whether they have an effect now."""
        if not self.key:
            return False
        value = _value(get, self.key)
        return value in self.values if self.values else value not in self.other_than


def _optimisation(section: str) -> Iterator[Need]:
    """What all trainings have in common."""
    watch = f"{section}watch."
    yield Need((f"{section}num_epochs",), f"{section}max_steps", (None,))
    yield Need((f"{section}sharding",), f"{section}num_processes", other_than=(1,))
    patience = (f"{watch}early_stopping_patience", f"{watch}early_stopping_min_change")
    yield Need(patience, f"{watch}early_stopping_metric", other_than=_NONE)
    yield Need((f"{watch}overfitting_patience",), f"{watch}overfitting", other_than=("off",))
    yield Need((f"{watch}spike_factor",), f"{watch}spike", other_than=("off",))
    yield Need((f"{watch}max_kl",), f"{watch}kl", other_than=("off",))
    yield Need((f"{watch}sample_interval", f"{watch}sample_max_new_tokens"), f"{watch}num_samples", other_than=(0,))


def _lora(section: str) -> Iterator[Need]:
    yield Need((f"{section}lora.",), f"{section}peft", ("lora",))


def _adaptation(section: str) -> Iterator[Need]:
    """What the student and the teacher have in common."""
    yield from _optimisation(section)
    yield from _lora(section)
    for peft in ("ia3", "prompt_tuning", "prefix_tuning", "p_tuning"):
        yield Need((f"{section}{peft}.",), f"{section}peft", (peft,))
    yield Need((f"{section}prompt_tuning.init_text",), f"{section}prompt_tuning.init", ("text",))
    yield Need((f"{section}prefix_tuning.hidden_size",), f"{section}prefix_tuning.projection", (True,))
    layers = (f"{section}p_tuning.num_layers", f"{section}p_tuning.dropout")
    yield Need(layers, f"{section}p_tuning.encoder", ("lstm",))


def _never(*names: str) -> Need:
    """Params that a section has only because all trainings have them."""
    return Need(names, "")


NEEDS: tuple[Need, ...] = (
    Need(("base.revision",), "base.source", other_than=("starter",)),
    Need(("base.starter.", "base.seed"), "base.source", ("starter",)),
    Need(("prepare.num_rows",), "prepare.source", ("starter",)),
    Need(("prepare.preferences.format", "prepare.preferences.max_rows"), "prepare.preferences.source", (), _NONE),
    Need(("teacher.",), "teacher.source", (), _NONE, but=("teacher.source",)),
    Need(("teacher.revision",), "teacher.source", other_than=("starter",)),
    Need(("teacher.starter.", "teacher.seed"), "teacher.source", ("starter",)),
    Need(("teacher.train.",), "teacher.objective", ("sft",)),
    _never("teacher.train.watch.reward_collapse", "teacher.train.watch.kl", "teacher.train.watch.max_kl"),
    _never(*(f"teacher.train.watch.{name}" for name in _SAMPLES)),
    *_adaptation("teacher.train."),
    Need(
        ("train.",), "train.objective", ("sft", "distill"), but=("train.objective", "train.seed", "train.merge.")
    ),
    Need(("train.seed",), "train.objective", ("sft", "distill", "merge")),
    Need(("train.merge.",), "train.objective", ("merge",)),
    Need(("train.merge.density",), "train.merge.combination", other_than=("linear",)),
    Need(("train.distill.",), "train.objective", ("distill",)),
    Need(("train.distill.divergence", "train.distill.temperature"), "train.distill.level", ("logit", "on_policy")),
    Need(("train.distill.hard_label_weight",), "train.distill.level", other_than=("sequence",)),
    Need(("train.distill.jsd_beta",), "train.distill.divergence", ("jsd",)),
    Need(("train.distill.jsd_beta",), "train.distill.level", other_than=("sequence",)),
    Need(("train.distill.max_new_tokens", "train.distill.sampling_temperature"), "train.distill.level", ("on_policy",)),
    _never("train.watch.reward_collapse", "train.watch.kl", "train.watch.max_kl"),
    *_adaptation("train."),
    Need(("reward.",), "reward.objective", (), _NONE, but=("reward.objective",)),
    Need(("reward.center_coefficient",), "reward.objective", ("bradley_terry",)),
    Need(("reward.beta",), "reward.objective", ("likelihood",)),
    _never("reward.watch.reward_collapse", "reward.watch.kl", "reward.watch.max_kl"),
    _never(*(f"reward.watch.{name}" for name in _SAMPLES)),
    *_optimisation("reward."),
    *_lora("reward."),
    # evaluate scores every model with the rewards that have a weight, aligned or not
    Need(("align.",), "align.objective", (), _NONE, but=("align.objective", "align.rewards.")),
    Need(("align.dpo.",), "align.objective", ("dpo",)),
    Need(("align.kto.",), "align.objective", ("kto",)),
    Need(("align.grpo.",), "align.objective", ("grpo",)),
    # the answers that dpo and kto are measured by have a length, too
    Need(("align.rollout.",), "align.objective", _FROM_REWARDS, but=("align.rollout.max_new_tokens",)),
    Need(("align.watch.reward_collapse",), "align.objective", _FROM_REWARDS),
    Need(("align.watch.overfitting", "align.watch.overfitting_patience"), "align.objective", ("dpo", "kto")),
    Need(("align.rewards.max_tokens",), "align.rewards.length_penalty", other_than=(0,)),
    *_optimisation("align."),
    *_lora("align."),
)  # fmt: skip
"""All of them must be met that concern a key."""


def method_of(experiment: Experiment) -> str | None:
    """What a finetui experiment does with the model: `base`, `dora`, `distill full`, `lora + dpo`; None elsewhere."""
    return effects_of(experiment.params).method


def _method(get: Get) -> str | None:
    if not all(isinstance(get(key), str) for key in ("train.objective", "train.peft")):
        return None
    steps = [_adapted(get)]
    align, reward = _value(get, "align.objective"), _value(get, "reward.objective")
    if align not in _NONE:
        judged = align in _FROM_REWARDS and _value(get, "align.rewards.reward_model")
        steps.append(f"{align} (reward model)" if judged else str(align))
    elif reward not in _NONE:
        steps.append("reward model")
    return " + ".join(steps)


def _adapted(get: Get) -> str:
    objective = str(get("train.objective"))
    if objective in _HANDED_ON:
        return _HANDED_ON[objective]
    peft = str(get("train.peft"))
    name = _lora_name(get) if peft == "lora" else _PEFTS.get(peft, peft)
    return name if objective == "sft" else f"{objective} {name}"


def _lora_name(get: Get) -> str:
    """The member of the family; several words where it is several."""
    init = _value(get, "train.lora.init")
    words = ["qlora"] if _value(get, "train.lora.quantization") == "nf4" else []
    words += [init] if init in _STARTED else []
    words += [name for name in ("dora", "rslora") if _value(get, f"train.lora.{name}") is True]
    return " ".join(words) or "lora"


def applies(name: str, experiment: Experiment) -> bool:
    """Whether a param of a finetui experiment has any effect: the rank means nothing to a soft prompt."""
    return effects_of(experiment.params).applies(name)


class Effects:
    """What the params that decide say: the method, and what else has any effect."""

    def __init__(self, deciding: Mapping[str, Any]) -> None:
        """Takes the values of the params that decide."""
        self._get: Get = lambda name: deciding.get(name, MISSING)
        self.method = _method(self._get)
        """None for an experiment that finetui did not make."""
        self._known: dict[str, bool] = {}

    def applies(self, name: str) -> bool:
        """Whether a param has any effect."""
        if self.method is None:
            return True
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = unmet(name, self._get) is None
        return known


_NONE_OF_OURS = Effects({})
_MAX_EFFECTS = 10_000
_by_values: dict[tuple[Any, ...], Effects] = {}


def _effects(params: Mapping[str, Any]) -> Effects:
    leaves: dict[str, Any] = {}
    for document in reversed(list(params.values())):  # of two files that have a key the first one counts
        leaves.update(flat(document))
    if "train.objective" not in leaves or "train.peft" not in leaves:
        return _NONE_OF_OURS
    deciding = {name: leaves[name] for name in _deciding() if name in leaves}
    # few methods are tried with thousands of learning rates; 1 and true are told apart
    values = tuple((name, type(value), repr(value)) for name, value in deciding.items())
    known = _by_values.get(values)
    if known is None:
        if len(_by_values) >= _MAX_EFFECTS:
            _by_values.clear()
        known = _by_values[values] = Effects(deciding)
    return known


effects_of: Memo[Effects] = Memo(_effects)
"""What the params of an experiment (file -> values) decide."""


@cache
def _deciding() -> tuple[str, ...]:
    return tuple(dict.fromkeys([*_NAMING, *(need.key for need in NEEDS if need.key)]))


def unmet(name: str, get: Get) -> Need | None:
    """Why a param has no effect; None if it has one."""
    return next((need for need in needs_of(name) if not need.is_met(get)), None)


@cache
def needs_of(name: str) -> tuple[Need, ...]:
    """What must be so for a param to have an effect; the sections that hold others come first."""
    return tuple(need for need in NEEDS if need.concerns(name))


def _begins(name: str, starts: tuple[str, ...]) -> bool:
    return any(name.startswith(start) if start.endswith(".") else name == start for start in starts)


def _value(get: Get, name: str) -> Any:
    """The value; what is not there has the default of the schema."""
    value = get(name)
    return _defaults().get(name, MISSING) if value is MISSING else value


@cache
def _defaults() -> dict[str, Any]:
    from pipeline.contract.params import Params  # loads pydantic, which no other project needs

    return dict(flatten(Params().model_dump()))
