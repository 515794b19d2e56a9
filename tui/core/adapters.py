"""Adapters of experiments: what they are, and where their files lie locally."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StoredAdapter:
    """One adapter that a stage of an experiment has trained."""

    stage: str
    path: str
    """Folder in the project."""
    method: str
    """A value of `train.peft`, with the members of the LoRA family told apart."""
    rank: int | None
    """Rank of a low-rank update."""
    num_virtual_tokens: int | None
    """Length of a soft prompt."""
    num_parameters: int
    num_bytes: int | None
    """Size of the weights; None if they are not in the local cache."""
    base_source: str
    """Where the base model came from."""
    base_sha256: str
    """Hash of the weights that it goes on top of: only adapters of equal ones can be merged."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Name -> place of its content in the local cache, or in the folder that it was made in."""

    @property
    def size(self) -> str:
        """Rank, or length of the soft prompt, in words."""
        if self.rank is not None:
            return str(self.rank)
        return f"{self.num_virtual_tokens} tokens" if self.num_virtual_tokens is not None else ""
