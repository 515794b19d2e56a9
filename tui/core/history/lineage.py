"""How two commits lie to each other in the history, and the line of commits between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tui.core.experiments import Experiment

Relation = Literal["before", "same", "aside", "after", "unrelated"]
"""How the old commit lies to the new one: on its first-parent line, the very same, on a branch that was merged into
that line, behind it, or on another branch."""


@dataclass(frozen=True, slots=True)
class Line:
    """The first-parent line from an old commit to a new one."""

    relation: Relation
    commits: tuple[Experiment, ...] = ()
    """Oldest first, both ends included; empty unless the old one is `before`."""
    merges: Mapping[str, int] = field(default_factory=dict)
    """SHA of each merge on the line -> how many commits it brought in."""
    base: str | None = None
    """Last commit that both have in common, where they lie on different branches; of one `aside`, on the line."""
    merge: str | None = None
    """Merge that brought in the old commit when it lies `aside`."""
