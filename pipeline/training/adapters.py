"""The peft configuration that params ask for."""

from typing import Any

from peft import (
    IA3Config,
    LoraConfig,
    PeftConfig,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    PromptTuningInit,
    TaskType,
)

from pipeline.contract.params import Adaptation, Ia3, Lora, PrefixTuning, PromptTuning, PTuning
from pipeline.models.module_names import ia3_modules
from pipeline.training.residual import changes_base


def adapter_config(params: Adaptation, tokenizer_path: str, model: Any, section: str = "train") -> PeftConfig | None:
    """Configuration of the adapter for this model; None for full fine-tuning."""
    match params.peft:
        case "none":
            return None
        case "lora":
            return lora_config(params.lora)
        case "ia3":
            return _ia3(params.ia3, model, section)
        case "prompt_tuning":
            return _prompt_tuning(params.prompt_tuning, tokenizer_path)
        case "prefix_tuning":
            return _prefix_tuning(params.prefix_tuning)
        case "p_tuning":
            return _p_tuning(params.p_tuning)


def lora_config(params: Lora, task: TaskType = TaskType.CAUSAL_LM) -> LoraConfig:
    """Configuration of a LoRA adapter; PiSSA and OLoRA start as plain ones, and residual.py gives them their start."""
    alpha: Any = params.alpha  # declared as int, used as a factor
    start: Any = True if params.init == "default" or changes_base(params) else params.init
    return LoraConfig(
        task_type=task,
        r=params.r,
        lora_alpha=alpha,
        lora_dropout=params.dropout,
        target_modules=params.target_modules,
        use_rslora=params.rslora,
        use_dora=params.dora,
        init_lora_weights=start,
    )


def _ia3(params: Ia3, model: Any, section: str) -> PeftConfig:
    found = ia3_modules(model, params.target_modules, params.feedforward_modules, section)
    return IA3Config(
        task_type=TaskType.CAUSAL_LM,
        target_modules=list(found.targets),
        feedforward_modules=list(found.feedforward),
    )


def _prompt_tuning(params: PromptTuning, tokenizer_path: str) -> PeftConfig:
    if params.init == "text":
        start: dict[str, Any] = {
            "prompt_tuning_init": PromptTuningInit.TEXT,
            "prompt_tuning_init_text": params.init_text,
            "tokenizer_name_or_path": tokenizer_path,
        }
    else:
        start = {"prompt_tuning_init": PromptTuningInit.SAMPLE_VOCAB}
    return PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=params.num_virtual_tokens, **start)


def _prefix_tuning(params: PrefixTuning) -> PeftConfig:
    return PrefixTuningConfig(
        task_type=TaskType.CAUSAL_LM,
        num_virtual_tokens=params.num_virtual_tokens,
        prefix_projection=params.projection,
        encoder_hidden_size=params.hidden_size,
    )


def _p_tuning(params: PTuning) -> PeftConfig:
    return PromptEncoderConfig(
        task_type=TaskType.CAUSAL_LM,
        num_virtual_tokens=params.num_virtual_tokens,
        encoder_reparameterization_type=params.encoder.upper(),
        encoder_hidden_size=params.hidden_size,
        encoder_num_layers=params.num_layers,
        encoder_dropout=params.dropout,
    )
