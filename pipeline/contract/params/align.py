"""Sections `reward` and `align`: learning from comparisons and from rewards."""

from typing import Literal

from pydantic import Field

from pipeline.contract.params.adapters import Lora
from pipeline.contract.params.optimisation import Optimisation
from pipeline.contract.params.section import Section

DpoLoss = Literal[
    "sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot", "aot_unpaired",
    "apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm",
]  # fmt: skip


class RewardMethod(Section):
    """What the stage does, and what is trained."""

    objective: Literal["none", "bradley_terry", "likelihood"] = "none"
    """`bradley_terry` learns a score (arXiv:2203.02155), `likelihood` what is probable (arXiv:2404.12358)."""
    peft: Literal["none", "lora"] = "lora"
    """What is trained: `none` is every weight."""


class Reward(Optimisation, RewardMethod):
    """The reward model: what `train` left, with a score in place of the next token."""

    num_epochs: float = Field(2.0, gt=0)
    """Passes over the training pairs; ignored when max_steps is set."""
    learning_rate: float = Field(2.0e-3, gt=0, le=1)
    """Peak learning rate."""
    center_coefficient: float = Field(0.0, ge=0)
    """Pulls the mean score of a pair towards 0 (Eisenstein et al. 2023, arXiv:2312.09244); for `bradley_terry`."""
    beta: float = Field(4.0, gt=0)
    """Log-odds of a pair for each nat per token that lies between its answers; for `likelihood`."""
    lora: Lora = Lora()
    """Used when peft is `lora`."""


class Dpo(Section):
    """Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290) and its relatives."""

    loss: list[DpoLoss] = Field(["sigmoid"], min_length=1)
    """One loss, or several that are added."""
    loss_weights: list[float] | None = None
    """Weights of the losses; null weighs all alike."""
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Share of pairs that may be labelled the wrong way round (`robust`, `exo_pair`)."""


class Kto(Section):
    """Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv:2402.01306): single answers, good or bad."""

    desirable_weight: float = Field(1.0, ge=0)
    """Weight of the loss on good answers."""
    undesirable_weight: float = Field(1.0, ge=0)
    """Weight of the loss on bad answers."""


class Grpo(Section):
    """Group relative policy optimisation (Shao et al. 2024, arXiv:2402.03300)."""

    loss: Literal["grpo", "bnpo", "dr_grpo", "dapo"] = "dapo"
    """How token losses are averaged."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """By whose standard deviation rewards are divided."""
    epsilon: float = Field(0.2, gt=0, lt=1)
    """Clip range of the probability ratio."""


class Rollout(Section):
    """How the policy answers while it learns (`rloo`, `grpo`)."""

    num_generations: int = Field(8, ge=2)
    """Completions per prompt; must divide batch_size x gradient_accumulation_steps x num_processes."""
    max_new_tokens: int = Field(64, ge=1)
    """Longest completion, in tokens; also of the answers that `dpo` and `kto` are measured by."""
    temperature: float = Field(1.0, gt=0, le=5)
    """Sampling temperature."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Sample from the most likely tokens that together have this probability."""


class RewardFunction(Section):
    """An own reward."""

    function: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    """Import path, `module:name`; called with prompts, completions and references, gives one number for each."""
    weight: float = 1.0
    """Weight in the sum."""


class Rewards(Section):
    """What a completion is worth: the weighted sum of these (`rloo`, `grpo`)."""

    exact_match: float = 0.0
    """Weight of 1 for an answer equal to the row's own after whitespace normalisation."""
    chrf: float = 0.0
    """Weight of the character n-gram F-score against the row's own answer, 0 to 1."""
    format: float = 0.0
    """Weight of 1 for an answer that matches format_pattern as a whole."""
    format_pattern: str | None = None
    """Regular expression; also decides which completions count as rejected for their format."""
    length_penalty: float = 0.0
    """Weight of minus the share by which a completion is longer than max_tokens."""
    max_tokens: int = Field(32, ge=1)
    """Length in tokens up to which nothing is taken off."""
    reward_model: float = 0.0
    """Weight of the score of the model that `reward` trained."""
    functions: list[RewardFunction] = []
    """Own functions with their weights, such as [{function: "rewards:shorter", weight: 0.5}]."""


class AlignMethod(Section):
    """What the stage does, and what is trained."""

    objective: Literal["none", "dpo", "kto", "rloo", "grpo"] = "none"
    """`dpo` and `kto` learn from comparisons, `rloo` and `grpo` from rewards; `none` passes the trained model on."""
    peft: Literal["lora", "none", "continue"] = "lora"
    """`lora` puts a new adapter on the trained model, `none` trains all weights, `continue` its own adapter."""


class Align(Optimisation, AlignMethod):
    """Alignment of the trained model with preferences or rewards."""

    num_epochs: float = Field(1.0, gt=0)
    """Passes over the training split; ignored when max_steps is set."""
    learning_rate: float = Field(1.0e-3, gt=0, le=1)
    """Peak learning rate. Usual on a billion-parameter model: 5e-6 for LoRA, 1e-6 for every weight."""
    beta: float = Field(0.1, ge=0)
    """Strength of the pull towards the reference model, which is the model as `train` left it."""
    dpo: Dpo = Dpo()
    """Used when objective is `dpo`."""
    kto: Kto = Kto()
    """Used when objective is `kto`."""
    grpo: Grpo = Grpo()
    """Used when objective is `grpo`."""
    rollout: Rollout = Rollout()
    """Used when objective is `rloo` or `grpo`; max_new_tokens by `dpo` and `kto`, too."""
    rewards: Rewards = Rewards()
    """Used when objective is `rloo` or `grpo`; `evaluate` scores with them too."""
    lora: Lora = Lora()
    """Used when peft is `lora`."""
