"""Combinations of method and training that crash, or train something else than was asked for without a word."""

from collections.abc import Callable

from pipeline.contract.params import Adaptation, Lora, Optimisation, Params
from pipeline.contract.rules.rule import Rule

SOFT_PROMPTS = ("prompt_tuning", "prefix_tuning", "p_tuning")
_MERGED_INITS = ("pissa", "olora")
_MLP_LAYERS = 2


def is_trained(params: Params) -> bool:
    """Whether `train` trains anything."""
    return params.train.objective in ("sft", "distill")


def peft_left(params: Params) -> str:
    """What lies on the model that `train` leaves: a value of `train.peft`."""
    match params.train.objective:
        case "merge":
            return "lora"
        case "teacher":
            return params.teacher.train.peft if _is_teacher_trained(params) else "none"
    return params.train.peft if is_trained(params) else "none"


def _is_teacher_trained(params: Params) -> bool:
    return params.teacher.source != "none" and params.teacher.objective == "sft"


def _is_train_lora(params: Params) -> bool:
    return is_trained(params) and params.train.peft == "lora"


def _is_teacher_lora(params: Params) -> bool:
    return _is_teacher_trained(params) and params.teacher.train.peft == "lora"


def _train(params: Params) -> Adaptation:
    return params.train


def _teacher(params: Params) -> Adaptation:
    return params.teacher.train


def _adaptation_rules(
    section: str, get: Callable[[Params], Adaptation], is_used: Callable[[Params], bool]
) -> tuple[Rule, ...]:
    """Rules of a supervised training."""
    return (
        Rule(
            f"{section}.packing",
            lambda p: is_used(p) and get(p).packing and get(p).peft in SOFT_PROMPTS,
            f"{section}.peft is a soft prompt, and peft ignores positions then: packed rows would see each other, and "
            "only the first would see the soft prompt; set it to false",
        ),
        Rule(
            f"{section}.gradient_checkpointing",
            lambda p: is_used(p) and get(p).gradient_checkpointing and get(p).peft == "prefix_tuning",
            f"{section}.peft is 'prefix_tuning', whose keys and values are lost when activations are recomputed; "
            "set it to false",
        ),
        Rule(
            f"{section}.prompt_tuning.init_text",
            lambda p: (
                is_used(p)
                and get(p).peft == "prompt_tuning"
                and get(p).prompt_tuning.init == "text"
                and not get(p).prompt_tuning.init_text
            ),
            f"{section}.prompt_tuning.init is 'text': give the text to start from",
        ),
        Rule(
            f"{section}.p_tuning.num_layers",
            lambda p: (
                is_used(p)
                and get(p).peft == "p_tuning"
                and get(p).p_tuning.encoder == "mlp"
                and get(p).p_tuning.num_layers != _MLP_LAYERS
            ),
            f"peft's mlp has always {_MLP_LAYERS}; set it to {_MLP_LAYERS}, or {section}.p_tuning.encoder to lstm",
        ),
    )


def _lora_rules(section: str, get: Callable[[Params], Lora], is_used: Callable[[Params], bool]) -> tuple[Rule, ...]:
    """Rules of a LoRA adapter of a language model."""
    return (
        Rule(
            f"{section}.target_modules",
            lambda p: is_used(p) and "lm_head" in get(p).target_modules,
            "the trainer computes the loss without the output layer's adapter; leave lm_head out",
        ),
        Rule(
            f"{section}.r",
            lambda p: is_used(p) and get(p).init == "orthogonal" and get(p).r % 2 == 1,
            f"{section}.init is 'orthogonal', which halves the rank between its factors; take an even one",
        ),
        Rule(
            f"{section}.init",
            lambda p: is_used(p) and get(p).init in _MERGED_INITS and get(p).dora,
            f"starts from parts of the base's weights, and {section}.dora splits those in another way; "
            "set one of them to its default",
        ),
        Rule(
            f"{section}.init",
            lambda p: is_used(p) and get(p).init in _MERGED_INITS and get(p).dropout > 0,
            f"with {section}.dropout the start would no longer equal the base; set dropout to 0",
        ),
    )


def _cadence_rule(section: str) -> Rule:
    return Rule(
        f"{section}.watch.early_stopping_patience",
        lambda p: (
            (watch := _optimisation(p, section).watch).early_stopping_metric is not None
            and watch.early_stopping_patience >= round(1 / _optimisation(p, section).eval_fraction)
        ),
        f"there are only 1 / {section}.eval_fraction evaluations, so it could never stop; lower one of them",
    )


def _processes_rule(section: str) -> Rule:
    return Rule(
        f"{section}.sharding",
        lambda p: _optimisation(p, section).sharding == "fsdp2" and _optimisation(p, section).num_processes == 1,
        f"there is nothing to split a model over: set {section}.num_processes to the number of GPUs, or it to none",
    )


def _optimisation(params: Params, section: str) -> Optimisation:
    found: dict[str, Callable[[], Optimisation]] = {
        "teacher.train": lambda: params.teacher.train,
        "train": lambda: params.train,
        "reward": lambda: params.reward,
        "align": lambda: params.align,
    }
    return found[section]()


def _quantized_start_rule(section: str, get: Callable[[Params], Lora], is_used: Callable[[Params], bool]) -> Rule:
    return Rule(
        f"{section}.init",
        lambda p: is_used(p) and get(p).init in _MERGED_INITS and get(p).quantization != "none",
        f"needs the base's full weights, and {section}.quantization holds 4 bits of them; "
        "set one of them to its default",
    )


def _no_quantization(section: str, get: Callable[[Params], Lora]) -> Rule:
    return Rule(
        f"{section}.quantization",
        lambda p: get(p).quantization != "none",
        "only `train` and `teacher` hold their base in 4 bits; set it to none",
    )


ADAPTING_RULES = (
    *_adaptation_rules("train", _train, is_trained),
    *_adaptation_rules("teacher.train", _teacher, _is_teacher_trained),
    *_lora_rules("train.lora", lambda p: p.train.lora, _is_train_lora),
    _quantized_start_rule("train.lora", lambda p: p.train.lora, _is_train_lora),
    *_lora_rules("teacher.train.lora", lambda p: p.teacher.train.lora, _is_teacher_lora),
    _quantized_start_rule("teacher.train.lora", lambda p: p.teacher.train.lora, _is_teacher_lora),
    *_lora_rules(
        "align.lora", lambda p: p.align.lora, lambda p: p.align.objective != "none" and p.align.peft == "lora"
    ),
    *_lora_rules(
        "reward.lora", lambda p: p.reward.lora, lambda p: p.reward.objective != "none" and p.reward.peft == "lora"
    ),
    _no_quantization("reward.lora", lambda p: p.reward.lora),
    _no_quantization("align.lora", lambda p: p.align.lora),
    *(_cadence_rule(section) for section in ("teacher.train", "train", "reward", "align")),
    *(_processes_rule(section) for section in ("train", "reward", "align")),
    Rule(
        "teacher.train.num_processes",
        lambda p: p.teacher.train.num_processes > 1 or p.teacher.train.sharding != "none",
        "only `train`, `reward` and `align` start several processes; set it to 1, and teacher.train.sharding to none",
    ),
    Rule(
        "train.sharding",
        lambda p: (
            p.train.objective == "distill" and p.train.distill.level == "on_policy" and p.train.sharding != "none"
        ),
        "each process answers other prompts, and with split weights all would wait for the longest; set it to none",
    ),
    Rule(
        "reward.sharding",
        lambda p: p.reward.objective != "none" and p.reward.sharding != "none",
        "the best weights are put back into the trained model, which one process cannot do when they are split; "
        "set it to none",
    ),
    Rule(
        "train.merge.adapters",
        lambda p: p.train.objective == "merge" and len(p.train.merge.adapters) < 2,
        "train.objective is 'merge': name at least two adapters of one base",
    ),
)
