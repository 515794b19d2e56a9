"""Section `prepare`: which data is read, and how it is cleaned and split."""

from typing import Literal

from pydantic import Field

from pipeline.contract.params.section import Section


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


class Preferences(Section):
    """Comparisons of answers, for the stages `reward` and `align`."""

    source: str = Field("auto", min_length=1)
    """`auto` (generated for the starter, else pairs in its rows), `none`, or a file or folder as for the rows."""
    format: Literal["auto", "pairs", "rated"] = "auto"
    """`pairs` has prompt, chosen, rejected; `rated` has prompt, completion, label (good or bad); `auto` looks."""
    max_rows: int | None = Field(None, ge=1)
    """Read at most so many rows; null reads all."""


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
    preferences: Preferences = Preferences()
    """Comparisons of answers; a prompt's comparisons go to the split that the prompt goes to."""
    seed: int = Field(0, ge=0)
    """Seed of the generated rows and salt of the split."""
