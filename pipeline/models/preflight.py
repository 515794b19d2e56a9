"""What can be refused by a model's configuration and by the machine, before any weight is loaded."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Adaptation, Ia3, Lora, Optimisation
from pipeline.contract.problems import StageError
from pipeline.models.module_names import ia3_modules

_PACKABLE_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


def check_adaptation(section: str, params: Adaptation, start: Manifest, trust_remote_code: bool) -> None:
    """StageError with everything that this model or machine has against these params, and the ways out."""
    config = model_config(start, trust_remote_code)
    problems = [*_of_packing(section, params, config), *_of_positions(section, params, config)]
    problems += _of_prefix(section, params, config)
    if params.peft == "lora":
        problems += _of_quantization(f"{section}.lora", params.lora)
        problems += _of_targets(f"{section}.lora", params.lora, config, trust_remote_code)
    if params.peft == "ia3":
        problems += _of_ia3(section, params.ia3, config, trust_remote_code)
    refuse([*problems, *of_processes(section, params)])


def refuse(problems: list[str]) -> None:
    """One StageError for all problems; nothing where there are none."""
    if problems:
        raise StageError("\n".join(problems))


def num_positions(params: Adaptation, config: Any) -> int | None:
    """Positions that are left to a row beside the soft prompt; None for a model without a limit."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    return None if positions is None else int(positions) - num_virtual_tokens(params)


def num_virtual_tokens(params: Adaptation) -> int:
    """Positions that the soft prompt takes; 0 for other methods."""
    return int(getattr(getattr(params, params.peft, None), "num_virtual_tokens", 0))


def model_config(start: Manifest, trust_remote_code: bool) -> Any:
    """Configuration of the model that a manifest describes."""
    return AutoConfig.from_pretrained(Path(start.weights), local_files_only=True, trust_remote_code=trust_remote_code)


def of_processes(section: str, params: Optimisation) -> Iterator[str]:
    """Several processes need as many GPUs; without any they share the CPU."""
    num_devices = torch.cuda.device_count()
    if num_devices and params.num_processes > num_devices:
        yield f"{section}.num_processes is {params.num_processes}: this machine has {num_devices} GPUs"
    if not num_devices and params.sharding != "none":
        # Without GPUs accelerate copies the model all the same, and says nothing.
        yield f"{section}.sharding is {params.sharding}: there is no GPU to split the model over; set it to none"


def _of_packing(section: str, params: Adaptation, config: Any) -> Iterator[str]:
    """Layers with a running state carry it from one packed row into the next."""
    kinds = set(getattr(config.get_text_config(), "layer_types", None) or _PACKABLE_LAYERS)
    if params.packing and not kinds <= _PACKABLE_LAYERS:
        other = sorted(kinds - _PACKABLE_LAYERS)[0]
        yield f"{section}.packing is True: the model has {other} layers, which mix packed rows; set it to false"


def _of_positions(section: str, params: Adaptation, config: Any) -> Iterator[str]:
    left = num_positions(params, config)
    if left is not None and left <= 0:
        num_virtual = num_virtual_tokens(params)
        yield (
            f"{section}.{params.peft}.num_virtual_tokens is {num_virtual}: "
            f"the model has {left + num_virtual} positions in all"
        )


def _of_prefix(section: str, params: Adaptation, config: Any) -> Iterator[str]:
    """The prefix must stay in sight: padding stands between it and a row, and would push it out of a narrow window."""
    text = config.get_text_config()
    window = getattr(text, "sliding_window", None) or getattr(text, "attention_chunk_size", None)
    if params.peft == "prefix_tuning" and window and window < (text.max_position_embeddings or window + 1):
        yield (
            f"{section}.peft is 'prefix_tuning': the model sees only {window} tokens back in some layers, where the "
            "prefix gets out of sight; set it to prompt_tuning or p_tuning"
        )


def _of_quantization(key: str, params: Lora) -> Iterator[str]:
    if params.quantization == "none":
        return
    if find_spec("bitsandbytes") is None:
        yield (
            f"{key}.quantization is {params.quantization}: bitsandbytes is not installed; "
            "pip install bitsandbytes, or set it to none"
        )
    elif not torch.cuda.is_available():
        yield f"{key}.quantization is {params.quantization}: there is no CUDA device to compute on; set it to none"


def _of_targets(key: str, params: Lora, config: Any, trust_remote_code: bool) -> Iterator[str]:
    """Named modules must exist; a name that fits nothing would stop peft only after the weights are loaded."""
    if isinstance(params.target_modules, str):
        return
    model = _outline(config, trust_remote_code)
    names = {name.rpartition(".")[2] for name, _ in model.named_modules()} | {n for n, _ in model.named_modules()}
    unknown = [target for target in params.target_modules if target not in names]
    linear = sorted({n.rpartition(".")[2] for n, module in model.named_modules() if _is_matrix(module)} - {"lm_head"})
    if unknown:
        yield f"{key}.target_modules: the model has no module {', '.join(unknown)}; it has {', '.join(linear)}"


def _of_ia3(section: str, params: Ia3, config: Any, trust_remote_code: bool) -> Iterator[str]:
    """The modules that IA3 rescales must be known or named."""
    try:
        ia3_modules(_outline(config, trust_remote_code), params.target_modules, params.feedforward_modules, section)
    except StageError as error:
        yield str(error)


def _outline(config: Any, trust_remote_code: bool) -> Any:
    """The model without its weights."""
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)


def _is_matrix(module: torch.nn.Module) -> bool:
    """A linear layer, also GPT-2's, which keeps its weight the other way round."""
    return isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D"
