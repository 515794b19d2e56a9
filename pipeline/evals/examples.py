"""The test split as it is scored: examples in the order of their ids."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.contract.problems import StageError
from pipeline.models.messages import Message, prompt_text

UNCATEGORISED = "uncategorised"
_COLUMNS = ("id", "category", "prompt", "completion")


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a prepared split."""

    id: str
    """Hash of its content."""
    category: str
    """Category, `uncategorised` where the data has none."""
    prompt: tuple[Message, ...]
    """Turns up to the one that is asked for."""
    completion: str
    """The reference answer."""

    @property
    def prompt_text(self) -> str:
        """The prompt for people: the user's words alone, or all turns under their roles."""
        return prompt_text(self.prompt)


def read_examples(path: Path, max_examples: int | None = None) -> list[Example]:
    """Examples of a split, the first ones by id; StageError when the file is missing, damaged or empty."""
    try:
        table = pl.read_parquet(path, columns=list(_COLUMNS)).sort("id").head(max_examples or 2**31)
    except FileNotFoundError as error:
        raise StageError(f"{path}: no such file; the prepare stage writes it: dvc repro") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StageError(f"{path}: not a prepared split ({str(error).splitlines()[0]}); run dvc repro") from error
    if table.is_empty():
        raise StageError(f"{path}: has no rows; raise prepare.test_fraction or give prepare.source more data")
    return [
        Example(row["id"], row["category"] or UNCATEGORISED, tuple(row["prompt"]), row["completion"])
        for row in table.iter_rows(named=True)
    ]
