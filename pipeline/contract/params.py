"""The schema of params.yaml: one closed, typed section per stage."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A closed section: unknown keys are errors, values are never converted, field docstrings are the help texts."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class StarterModel(Section):
    """The small decoder that `base` pretrains when `base.source` is `starter`."""

    architecture: Literal["qwen3", "llama"] = "qwen3"
    """Decoder architecture, as transformers implements it."""
    hidden_size: int = Field(128, ge=16, le=1024)
    """Width of the residual stream; a multiple of num_heads."""
    num_layers: int = Field(3, ge=1, le=24)
    """Number of decoder layers."""
    num_heads: int = Field(4, ge=1, le=32)
    """Number of attention heads; a multiple of num_kv_heads."""
    num_kv_heads: int = Field(2, ge=1, le=32)
    """Number of key and value heads (grouped-query attention)."""
    vocab_size: int = Field(1024, ge=300, le=32768)
    """Size of the byte-level BPE vocabulary, special tokens included."""
    num_documents: int = Field(40_000, ge=100, le=2_000_000)
    """Number of generated documents in the pretraining corpus."""
    num_steps: int = Field(1_300, ge=1)
    """Optimizer steps of pretraining."""
    batch_size: int = Field(32, ge=1)
    """Documents per pretraining step."""
    learning_rate: float = Field(3.0e-3, gt=0, le=1)
    """Peak AdamW learning rate (embeddings, norms)."""
    muon_learning_rate: float = Field(5.0e-3, ge=0, le=1)
    """Peak Muon learning rate (matrices); 0 trains the matrices with AdamW as well."""


class Base(Section):
    """Which base model is adapted."""

    source: str = Field("starter", min_length=1)
    """`starter`, a folder with a transformers model, or a hub id such as `Qwen/Qwen3-8B`."""
    revision: str | None = None
    """Commit, tag or branch on the hub; only for a hub id."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the weights in memory; `auto` is float32 on the CPU and while all weights are trained, else bfloat16."""
    trust_remote_code: bool = False
    """Run Python code that a hub repository brings along. Leave it off unless you have read that code."""
    chat_template: str | None = None
    """File with a Jinja chat template instead of the tokenizer's own; null adds one only where there is none."""
    starter: StarterModel = StarterModel()
    """Shape and pretraining of the starter model."""
    seed: int = Field(0, ge=0)
    """Seed of the starter's weights and corpus."""


class Columns(Section):
    """Which columns hold what."""

    prompt: str | None = None
    """Column with the prompt; for the formats `columns` and `auto`, together with completion."""
    completion: str | None = None
    """Column with the completion; for the formats `columns` and `auto`, together with prompt."""
    system: str | None = None
    """Column with a system message, in any format; null reads none besides those in a conversation."""
    category: str | None = None
    """Column with the row's category, in any format; null reads a column named category if there is one."""


class Hub(Section):
    """What to load when `prepare.source` is a `hub:` data set."""

    config: str | None = None
    """Configuration (subset) of the data set."""
    split: str = Field("train", min_length=1)
    """Split of the data set."""
    revision: str | None = None
    """Commit, tag or branch of the data set."""


class Prepare(Section):
    """Which data is read, and how it is cleaned and split."""

    source: str = Field("starter", min_length=1)
    """`starter` (generated), a file or folder of .jsonl, .json, .csv or .parquet, or `hub:<data set id>`."""
    format: Literal["auto", "messages", "prompt_completion", "alpaca", "sharegpt", "columns"] = "auto"
    """How a row is laid out; `auto` looks at the column names, those in `columns` first."""
    columns: Columns = Columns()
    """Names of the columns to read."""
    hub: Hub = Hub()
    """Details of a hub data set."""
    num_rows: int = Field(3_000, ge=30, le=1_000_000)
    """Rows to generate when the source is `starter`."""
    max_rows: int | None = Field(None, ge=1)
    """Read at most so many rows; null reads all."""
    max_tokens: int | None = Field(512, ge=8)
    """Drop rows longer than so many tokens (prompt and completion); null keeps all."""
    max_bad_fraction: float = Field(0.05, ge=0, le=1)
    """Stop when more than this share of the rows is malformed."""
    validation_fraction: float = Field(0.1, gt=0, lt=1)
    """Share of the prompts that goes to the validation split."""
    test_fraction: float = Field(0.1, gt=0, lt=1)
    """Share of the prompts that goes to the test split."""
    seed: int = Field(0, ge=0)
    """Seed of the generated rows and salt of the split."""


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


class PromptTuning(Section):
    """Prompt tuning (Lester et al. 2021, arXiv:2104.08691)."""

    num_virtual_tokens: int = Field(16, ge=1, le=1024)
    """Length of the soft prompt."""
    init: Literal["random", "text"] = "random"
    """`random` samples word embeddings, `text` starts from the embeddings of init_text."""
    init_text: str | None = None
    """Text whose embeddings start the soft prompt when init is `text`."""


class Train(Section):
    """Supervised adaptation."""

    objective: Literal["none", "sft"] = "sft"
    """`sft` trains on the completions; `none` passes the base model on untouched."""
    peft: Literal["none", "lora", "prompt_tuning"] = "lora"
    """What is trained: `none` is every weight (full fine-tuning)."""
    num_epochs: float = Field(3.0, gt=0)
    """Passes over the training split; ignored when max_steps is set."""
    max_steps: int | None = Field(None, ge=1)
    """Optimizer steps; null follows num_epochs."""
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
    """Longer rows are cut to so many tokens."""
    eval_fraction: float = Field(0.1, gt=0, le=1)
    """Evaluate on the validation split and save a checkpoint after each such share of the steps."""
    log_interval_steps: int = Field(5, ge=1)
    """Record a training point every so many steps."""
    packing: bool = False
    """Pack several rows into one sequence of up to max_length tokens; not with a soft prompt."""
    gradient_checkpointing: bool = False
    """Recompute activations to save memory, at about a third more compute."""
    compile: bool = False
    """Compile the model with torch.compile."""
    seed: int = Field(0, ge=0)
    """Seed of adapter initialisation and row order."""
    lora: Lora = Lora()
    """Used when peft is `lora`."""
    prompt_tuning: PromptTuning = PromptTuning()
    """Used when peft is `prompt_tuning`."""


class Evaluate(Section):
    """What is measured on the test split."""

    max_examples: int | None = Field(None, ge=1)
    """Score at most so many test rows (the first ones by id); null scores all."""
    batch_size: int = Field(64, ge=1)
    """Prompts per generation batch."""
    max_new_tokens: int = Field(64, ge=1)
    """Longest completion that is generated, in tokens."""


class Deploy(Section):
    """What is shipped."""

    num_probe_prompts: int = Field(32, ge=1)
    """Test prompts whose answers must be the same before and after the export."""
    dtype: Literal["keep", "float32", "bfloat16"] = "keep"
    """Type of the exported weights; `keep` is the type they were trained in."""
    max_changed_fraction: float = Field(0.0, ge=0, le=1)
    """Share of the probes that may be answered differently, ties that rounding decides left out."""


class Params(Section):
    """The whole of params.yaml."""

    base: Base = Base()
    """The base model."""
    prepare: Prepare = Prepare()
    """The data."""
    train: Train = Train()
    """The adaptation."""
    evaluate: Evaluate = Evaluate()
    """The measurement."""
    deploy: Deploy = Deploy()
    """The export."""
