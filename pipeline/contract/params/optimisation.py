"""How a training runs: optimizer, batches, evaluation, what is watched, on how many devices."""

from typing import Literal

from pydantic import Field

from pipeline.contract.params.section import Section

Action = Literal["off", "warn", "stop"]
"""What happens when something is seen: nothing, an event, or an event and the end of the training."""


class Watch(Section):
    """What is watched while a training runs; everything seen is an event in the series."""

    early_stopping_metric: str | None = None
    """Any metric of the series, such as `validation/loss`: stop when it no longer gets better; null never stops."""
    early_stopping_patience: int = Field(3, ge=1)
    """Evaluations without a better value before the training stops."""
    early_stopping_min_change: float = Field(0.0, ge=0)
    """A value counts as better when it is so by more than this."""
    overfitting: Action = "warn"
    """The validation loss rises from its minimum while the training loss falls."""
    overfitting_patience: int = Field(3, ge=1)
    """Evaluations in a row that must show it."""
    not_finite: Literal["warn", "stop"] = "stop"
    """A loss or gradient norm is NaN or infinite; `warn` skips that step's update."""
    spike: Action = "warn"
    """The training loss jumps far above its recent values."""
    spike_factor: float = Field(8.0, gt=1)
    """How far: so many times the usual spread (median absolute deviation) above the median of the last 20 points."""
    reward_collapse: Action = "warn"
    """All completions of every prompt get the same reward, so that nothing can be learned (`align`)."""
    kl: Action = "warn"
    """At an evaluation the policy is further from its reference model than max_kl (`align`)."""
    max_kl: float = Field(1.0, gt=0)
    """Nats per token."""
    num_samples: int = Field(4, ge=0, le=64)
    """Validation prompts, the same ones each time, that the model answers as it learns; 0 for none."""
    sample_interval: int = Field(1, ge=1)
    """Answer them at every so many evaluations; also before the first step and at the end."""
    sample_max_new_tokens: int = Field(48, ge=1)
    """Longest such answer, in tokens."""


class Optimisation(Section):
    """What all trainings have in common."""

    num_epochs: float = Field(3.0, gt=0)
    """Passes over the training split; ignored when max_steps is set."""
    max_steps: int | None = Field(None, ge=1)
    """Optimizer steps; null follows num_epochs."""
    max_rows: int | None = Field(None, ge=1)
    """Learn from at most so many rows of the training split, the first ones by id; null takes all."""
    batch_size: int = Field(16, ge=1)
    """Rows per device and forward pass."""
    gradient_accumulation_steps: int = Field(1, ge=1)
    """Forward passes per optimizer step."""
    learning_rate: float = Field(5.0e-3, gt=0, le=1)
    """Peak learning rate. Usual: LoRA 2e-4 on a billion-parameter base, full fine-tuning a tenth of that."""
    lr_schedule: Literal["constant", "linear", "cosine"] = "linear"
    """Shape of the learning rate after the warm-up."""
    warmup_fraction: float = Field(0.05, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from 0."""
    weight_decay: float = Field(0.0, ge=0, le=1)
    """AdamW weight decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    max_length: int = Field(512, ge=8)
    """Longer rows are cut to so many tokens; longer comparisons are left out."""
    eval_fraction: float = Field(0.1, gt=0, le=1)
    """Evaluate on the validation split and save a checkpoint after each such share of the steps."""
    log_interval_steps: int = Field(5, ge=1)
    """Record a training point every so many steps."""
    gradient_checkpointing: bool = False
    """Recompute activations to save memory, at about a third more compute."""
    compile: bool = False
    """Compile the model with torch.compile."""
    num_processes: int = Field(1, ge=1)
    """Processes of this stage, one per GPU; the batch of a step grows with them."""
    sharding: Literal["none", "fsdp2"] = "none"
    """With several processes: `none` copies the model to each (DDP), `fsdp2` splits it over them."""
    seed: int = Field(0, ge=0)
    """Seed of adapter initialisation, row order and sampling."""
    watch: Watch = Watch()
    """What is watched while it runs."""
