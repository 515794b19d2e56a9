"""The peft configuration that params ask for."""

from typing import Any

from peft import LoraConfig, PeftConfig, PromptTuningConfig, PromptTuningInit, TaskType

from pipeline.contract.params import Adaptation, Lora, PromptTuning


def adapter_config(params: Adaptation, tokenizer_path: str) -> PeftConfig | None:
    """Configuration of the adapter; None for full fine-tuning."""
    if params.peft == "lora":
        return _lora(params.lora)
    return _prompt_tuning(params.prompt_tuning, tokenizer_path) if params.peft == "prompt_tuning" else None


def _lora(params: Lora) -> PeftConfig:
    alpha: Any = params.alpha  # declared as int, used as a factor
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=params.r,
        lora_alpha=alpha,
        lora_dropout=params.dropout,
        target_modules=params.target_modules,
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
