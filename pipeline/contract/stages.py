"""The stages of dvc.yaml, in the order of the pipeline."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """One node of dvc.yaml."""

    name: str
    """Name in dvc.yaml, of the module in pipeline.stages, and of the section in params.yaml."""
    does: str
    """What it does, in a few words for a progress line."""
    step_unit: str
    """What one step of its series counts."""
    has_curves: bool = False
    """Whether its series holds curves, kept as a table at the end; the others only count progress."""


STAGES = (
    Stage("base", "materialise the base model", "step", has_curves=True),
    Stage("prepare", "clean and split the data", "row"),
    Stage("teacher", "make the teacher and let it answer", "step", has_curves=True),
    Stage("train", "adapt the model", "step", has_curves=True),
    Stage("reward", "train the reward model", "step", has_curves=True),
    Stage("align", "align the model with preferences or rewards", "step", has_curves=True),
    Stage("evaluate", "score the model on the test split", "example"),
    Stage("deploy", "export, card and load-back check", "prompt"),
)
