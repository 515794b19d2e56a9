"""What is trained: every weight, or one of the parameter-efficient methods of peft."""

from typing import Literal

from pydantic import Field

from pipeline.contract.params.section import Section

Peft = Literal["none", "lora", "ia3", "prompt_tuning", "prefix_tuning", "p_tuning"]
"""`none` is full fine-tuning; the last three are soft prompts."""


class Lora(Section):
    """Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685)."""

    r: int = Field(16, ge=1, le=1024)
    """Rank of the update."""
    alpha: float = Field(32, gt=0)
    """Scale: the update is multiplied by alpha / r."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout before the down projection."""
    target_modules: str | list[str] = "all-linear"
    """`all-linear`, or the names of the modules to adapt, such as [q_proj, v_proj]."""
    rslora: bool = False
    """Multiply by alpha / sqrt(r) instead, so that large ranks learn as fast (Kalajdzievski 2023, arXiv:2312.03732)."""
    dora: bool = False
    """Train magnitude and direction apart (DoRA, Liu et al. 2024, arXiv:2402.09353)."""
    init: Literal["default", "gaussian", "orthogonal", "pissa", "olora"] = "default"
    """`pissa` (arXiv:2404.02948) and `olora` (arXiv:2406.01775) start along the base's own main directions."""
    quantization: Literal["none", "nf4"] = "none"
    """`nf4` trains on a base in 4 bits (QLoRA, arXiv:2305.14314); it is evaluated and merged on its own weights."""


class Ia3(Section):
    """Rescaled activations (IA3, Liu et al. 2022, arXiv:2205.05638)."""

    target_modules: list[str] | None = None
    """Names of the modules whose outputs are rescaled; null takes keys, values and the down projection."""
    feedforward_modules: list[str] | None = None
    """Those of target_modules whose inputs are rescaled instead; null takes the down projection."""


class PromptTuning(Section):
    """Prompt tuning (Lester et al. 2021, arXiv:2104.08691)."""

    num_virtual_tokens: int = Field(16, ge=1, le=1024)
    """Length of the soft prompt."""
    init: Literal["random", "text"] = "random"
    """`random` samples word embeddings, `text` starts from the embeddings of init_text."""
    init_text: str | None = None
    """Text whose embeddings start the soft prompt when init is `text`."""


class PrefixTuning(Section):
    """Prefix tuning (Li and Liang 2021, arXiv:2101.00190): virtual keys and values in every layer."""

    num_virtual_tokens: int = Field(16, ge=1, le=1024)
    """Length of the prefix."""
    projection: bool = False
    """Make the prefix by a two-layer network instead of training it itself."""
    hidden_size: int = Field(128, ge=1)
    """Width of that network."""


class PTuning(Section):
    """P-tuning (Liu et al. 2021, arXiv:2103.10385): a soft prompt made by a small network."""

    num_virtual_tokens: int = Field(16, ge=1, le=1024)
    """Length of the soft prompt."""
    encoder: Literal["mlp", "lstm"] = "mlp"
    """Network that makes it."""
    hidden_size: int = Field(128, ge=1)
    """Width of the network."""
    num_layers: int = Field(2, ge=1, le=8)
    """Layers of the network; peft's mlp has always two."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout of the lstm."""
