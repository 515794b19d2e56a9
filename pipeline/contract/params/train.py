"""Sections `teacher` and `train`: supervised adaptation."""

from typing import Literal

from pydantic import Field

from pipeline.contract.params.adapters import Ia3, Lora, Peft, PrefixTuning, PromptTuning, PTuning
from pipeline.contract.params.base import StarterModel
from pipeline.contract.params.optimisation import Optimisation
from pipeline.contract.params.section import Section


class Method(Section):
    """What is trained; declared before the rest, where a reader looks first."""

    peft: Peft = "lora"
    """What is trained: `none` is every weight (full fine-tuning)."""


class Adaptation(Optimisation, Method):
    """Supervised fine-tuning of a causal language model."""

    packing: bool = False
    """Pack several rows into one sequence of up to max_length tokens; not with a soft prompt."""
    lora: Lora = Lora()
    """Used when peft is `lora`."""
    ia3: Ia3 = Ia3()
    """Used when peft is `ia3`."""
    prompt_tuning: PromptTuning = PromptTuning()
    """Used when peft is `prompt_tuning`."""
    prefix_tuning: PrefixTuning = PrefixTuning()
    """Used when peft is `prefix_tuning`."""
    p_tuning: PTuning = PTuning()
    """Used when peft is `p_tuning`."""


class TeacherTraining(Adaptation):
    """How the teacher itself is adapted."""

    peft: Peft = "none"
    """What is trained: `none` is every weight (full fine-tuning)."""
    learning_rate: float = Field(1.0e-3, gt=0, le=1)
    """Peak learning rate."""


class Teacher(Section):
    """The model that a student learns from."""

    source: str = Field("none", min_length=1)
    """`none`, `starter`, a folder with a transformers model (a deployed one, for example), or a hub id."""
    revision: str | None = None
    """Commit, tag or branch on the hub; only for a hub id."""
    objective: Literal["none", "sft"] = "sft"
    """`sft` adapts it to the task first; `none` takes it as it is."""
    top_k: int = Field(32, ge=1, le=1024)
    """Log-probabilities that are kept for every token, once for all students."""
    batch_size: int = Field(64, ge=1)
    """Prompts per batch while it answers."""
    max_new_tokens: int = Field(64, ge=1)
    """Longest answer, in tokens."""
    starter: StarterModel = StarterModel()
    """Shape and pretraining when the source is `starter`."""
    train: TeacherTraining = TeacherTraining()
    """Its adaptation when the objective is `sft`."""
    seed: int = Field(0, ge=0)
    """Seed of the starter's weights and corpus; with that of `base` both have one tokenizer."""


class Distill(Section):
    """Knowledge distillation (Hinton et al. 2015, arXiv:1503.02531)."""

    level: Literal["sequence", "logit", "on_policy"] = "logit"
    """Learn the teacher's answers, its probabilities of every token, or those on answers that the student gives."""
    prompts: Literal["all", "labelled"] = "all"
    """`all` also uses the training prompts beyond max_rows, with the teacher's answers in place of labels."""
    divergence: Literal["forward_kl", "reverse_kl", "jsd"] = "forward_kl"
    """What is made small between teacher and student; `jsd` is the generalised one (GKD, arXiv:2306.13649)."""
    jsd_beta: float = Field(0.5, gt=0, lt=1)
    """Interpolation of `jsd`: towards 0 it is forward KL, towards 1 reverse KL."""
    temperature: float = Field(1.0, ge=0.5, le=20)
    """Both distributions are softened by it."""
    hard_label_weight: float = Field(0.5, ge=0, le=1)
    """Share of the loss that is cross-entropy on the row's own answer; the rest is the divergence."""
    max_new_tokens: int = Field(64, ge=1)
    """Longest answer of the student (`on_policy`)."""
    sampling_temperature: float = Field(1.0, gt=0, le=5)
    """Temperature of the student's answers (`on_policy`)."""


class WeightedAdapter(Section):
    """One adapter of a merge."""

    path: str = Field(min_length=1)
    """Folder with adapter_config.json and adapter_model.safetensors."""
    weight: float = 1.0
    """Weight in the merge."""


class Merge(Section):
    """Several adapters of one base, merged into one (objective `merge`)."""

    adapters: list[WeightedAdapter] = []
    """The adapters, such as [{path: adapters/a, weight: 0.5}, {path: adapters/b, weight: 0.5}]."""
    combination: Literal["linear", "ties", "dare_linear", "dare_ties", "magnitude_prune"] = "linear"
    """Weighted sum, TIES (arXiv:2306.01708), DARE (arXiv:2311.03099) with either, or the sum of pruned updates."""
    density: float = Field(0.5, gt=0, le=1)
    """Share of each update that is kept; not for `linear`."""


class TrainObjective(Section):
    """What the stage does."""

    objective: Literal["none", "sft", "distill", "teacher", "merge"] = "sft"
    """`sft` learns answers, `distill` a teacher's, `merge` joins adapters; `none` and `teacher` pass that model on."""


class Train(Adaptation, TrainObjective):
    """Supervised adaptation: answers of the data, or of a teacher."""

    distill: Distill = Distill()
    """Used when objective is `distill`."""
    merge: Merge = Merge()
    """Used when objective is `merge`."""
