"""The schema of params.yaml: one closed, typed section per stage."""

from pipeline.contract.params.adapters import Ia3, Lora, Peft, PrefixTuning, PromptTuning, PTuning
from pipeline.contract.params.align import Align, Dpo, Grpo, Kto, Reward, Rewards, Rollout
from pipeline.contract.params.base import Base, StarterModel
from pipeline.contract.params.evaluate import Deploy, Evaluate
from pipeline.contract.params.optimisation import Action, Optimisation, Watch
from pipeline.contract.params.prepare import Columns, Hub, Preferences, Prepare
from pipeline.contract.params.section import Section
from pipeline.contract.params.train import Adaptation, Distill, Merge, Teacher, TeacherTraining, Train

__all__ = [
    "Action", "Adaptation", "Align", "Base", "Columns", "Deploy", "Distill", "Dpo", "Evaluate", "Grpo", "Hub", "Ia3",
    "Kto", "Lora", "Merge", "Optimisation", "PTuning", "Params", "Peft", "Preferences", "PrefixTuning", "Prepare",
    "PromptTuning", "Reward", "Rewards", "Rollout", "Section", "StarterModel", "Teacher", "TeacherTraining", "Train",
    "Watch",
]  # fmt: skip


class Params(Section):
    """The whole of params.yaml."""

    base: Base = Base()
    """The base model."""
    prepare: Prepare = Prepare()
    """The data."""
    teacher: Teacher = Teacher()
    """The teacher of a distillation."""
    train: Train = Train()
    """The adaptation."""
    reward: Reward = Reward()
    """The reward model."""
    align: Align = Align()
    """The alignment."""
    evaluate: Evaluate = Evaluate()
    """The measurement."""
    deploy: Deploy = Deploy()
    """The export."""
