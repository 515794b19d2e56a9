"""How states are drawn: a glyph, a word and a colour, so that none of them stands alone."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StateLook:
    """How one state looks."""

    glyph: str
    word: str
    style: str
    """Style name of table cells."""
    colour: str
    """Style of content."""


def running_share(fraction: float) -> str:
    """Share of a stage that still runs: all of it is done only when the stage has ended.

    >>> running_share(0.62), running_share(1.0)
    ('62%', '99%')
    """
    return f"{min(fraction, 0.99):.0%}"


LOOKS: Mapping[str, StateLook] = {
    "done": StateLook("✓", "done", "good", "$text-success"),
    "running": StateLook("◐", "running", "accent", "$text-accent"),
    "queued": StateLook("○", "queued", "muted", "dim"),
    "failed": StateLook("✗", "failed", "bad", "$text-error"),
    "cancelled": StateLook("⊘", "cancelled", "warning", "$text-warning"),
    "lost": StateLook("?", "lost", "warning", "$text-warning"),
    "not run": StateLook("·", "not run", "muted", "dim"),
    "waiting": StateLook("·", "waiting", "muted", "dim"),
    "cached": StateLook("=", "up to date", "good", "$text-success"),
}

INCOMPLETE = StateLook("!", "incomplete", "bad", "$text-error")
"""What has come to no bad end, but cannot be read."""
