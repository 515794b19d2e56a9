"""Sections `evaluate` and `deploy`: what is measured, and what is shipped."""

from typing import Literal

from pydantic import Field

from pipeline.contract.params.section import Section


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
