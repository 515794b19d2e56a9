"""What a model card tells of how the model was made: names of methods and objectives, and the params that had a say."""

from collections.abc import Mapping
from typing import Any

import yaml

from pipeline.contract.manifest import Manifest, Step
from pipeline.contract.params import Params
from pipeline.evals.markdown import plain

METHODS = {
    "base": "not adapted",
    "full": "full fine-tuning",
    "lora": "LoRA",
    "ia3": "IA3",
    "prompt_tuning": "prompt tuning",
    "prefix_tuning": "prefix tuning",
    "p_tuning": "P-tuning",
}
OBJECTIVES = {
    "sft": "supervised fine-tuning",
    "distill": "distillation",
    "merge": "merged adapters",
    "dpo": "DPO",
    "kto": "KTO",
    "rloo": "RLOO",
    "grpo": "GRPO",
}
_IN_ADAPTER = {
    "prompt_tuning": "the soft prompt is in `adapter`",
    "prefix_tuning": "the prefix is in `adapter`",
    "p_tuning": "the soft prompt is in `adapter`, without the network that made it",
}
_METHOD_SECTIONS = {"lora", "ia3", "prompt_tuning", "prefix_tuning", "p_tuning"}
_ALIGN_SECTIONS = {
    "dpo": {"dpo"},
    "kto": {"kto"},
    "rloo": {"rollout", "rewards"},
    "grpo": {"grpo", "rollout", "rewards"},
}


def method_name(manifest: Manifest) -> str:
    """How the model was made, in a few words: `LoRA`, or `LoRA, then DPO (LoRA)`."""
    if not manifest.lineage:
        return METHODS.get(manifest.method, plain(manifest.method))
    return ", then ".join(_step_name(step) for step in manifest.lineage)


def shipped(manifest: Manifest) -> str:
    """Where in the export the trained parameters are."""
    in_adapter = [_IN_ADAPTER[adapter.method] for adapter in manifest.adapters if adapter.method in _IN_ADAPTER]
    trained = [step.method for step in manifest.lineage] or [manifest.method]
    merged = ["merged into the weights"] if {"lora", "ia3"} & set(trained) else []
    return f" ({'; '.join(merged + in_adapter)})" if merged or in_adapter else ""


def tags(manifest: Manifest) -> list[str]:
    """Methods and objectives for the hub, in their order, each once."""
    words = [word for step in manifest.lineage for word in (step.objective, step.method)] or [manifest.method]
    return list(dict.fromkeys(word for word in words if word != "base"))


def training_params(params: Params) -> str:
    """The sections that had a say in the training, as YAML, without the details of what they did not use."""
    sections = {"train": _used_by_train(params)}
    if params.teacher.source != "none":
        sections["teacher"] = _used_by_teacher(params)
    if params.align.objective != "none":
        if params.align.rewards.reward_model:
            sections["reward"] = params.reward.model_dump()
        sections["align"] = _used_by_align(params)
    return _yaml(sections)


def quantization_note(params: Params) -> str | None:
    """What QLoRA means for the figures; None where the base was not quantised."""
    lora = params.train.lora
    if params.train.objective not in ("sft", "distill") or params.train.peft != "lora" or lora.quantization == "none":
        return None
    return (
        f"While the adapter was trained, the base model was held in 4 bits ({lora.quantization}). It was evaluated and "
        "merged on the base's own weights, which are not quantised."
    )


def _step_name(step: Step) -> str:
    method = METHODS.get(step.method, plain(step.method))
    if step.objective == "sft":
        return method
    return f"{OBJECTIVES.get(step.objective, plain(step.objective))} ({method})"


def _used_by_train(params: Params) -> dict[str, Any]:
    train = params.train
    if train.objective in ("none", "teacher"):
        return {"objective": train.objective}
    if train.objective == "merge":
        return {"objective": train.objective, "merge": train.merge.model_dump()}
    other = set() if train.objective == "distill" else {"distill"}
    return train.model_dump(exclude=(_METHOD_SECTIONS - {train.peft}) | other | {"merge"})


def _used_by_teacher(params: Params) -> dict[str, Any]:
    teacher = params.teacher
    unused: set[str] = (set() if teacher.source == "starter" else {"starter"}) | {"train"}
    values = teacher.model_dump(exclude=unused)
    if teacher.objective == "sft":
        values["train"] = teacher.train.model_dump(exclude=_METHOD_SECTIONS - {teacher.train.peft})
    return values


def _used_by_align(params: Params) -> dict[str, Any]:
    align = params.align
    unused = {"dpo", "kto", "grpo", "rollout", "rewards"} - _ALIGN_SECTIONS[align.objective]
    return align.model_dump(exclude=unused | (set() if align.peft == "lora" else {"lora"}))


def _yaml(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=False, width=2**20)
