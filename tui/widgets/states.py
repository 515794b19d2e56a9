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


LOOKS: Mapping[str, StateLook] = {
    "done": StateLook("✓", "done", "good", "$text-success"),
    "running": StateLook("◐", "running", "accent", "$text-accent"),
    "queued": StateLook("○", "queued", "muted", "dim"),
    "failed": StateLook("✗", "failed", "bad", "$text-error"),
    "cancelled": StateLook("⊘", "cancelled", "warning", "$text-warning"),
    "lost": StateLook("?", "lost", "warning", "$text-warning"),
    "waiting": StateLook("·", "waiting", "muted", "dim"),
    "cached": StateLook("=", "up to date", "good", "$text-success"),
}
