"""The grammar: what can be asked, in which words, and the command that answers it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random

from pipeline.data.shell.slots import LANGUAGES, SLOTS

_SLOT = re.compile(r"\{([a-z]+)(\d?)\}")


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that can be asked; its texts share their slots."""

    category: str
    """Group of intents that the figures are broken down by."""
    command: str
    """The command, with slots."""
    requests: tuple[str, ...]
    """How a person asks for it."""
    notes: tuple[str, ...]
    """How a comment in a script says it."""

    def draw_values(self, rng: Random) -> dict[str, str]:
        """Draw a value for every slot of the intent."""
        values: dict[str, str] = {}
        for slot, number in _SLOT.findall(" ".join((self.command, *self.notes, *self.requests))):
            if slot != "language" and slot + number not in values:
                values[slot + number] = _draw(rng, slot, values.get(slot) if number else None)
        return values


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put the values into a template's slots.

    >>> fill("find {folder} -name '*.{ext}'", {"folder": "src", "ext": "py"})
    "find src -name '*.py'"
    >>> fill("all {language} files", {"ext": "py"})
    'all python files'
    """
    return _SLOT.sub(lambda slot: _value(slot[1] + slot[2], values), template)


@cache
def load_intents() -> tuple[Intent, ...]:
    """Every intent, in the order of intents.toml."""
    tables = tomllib.loads(files(__package__).joinpath("intents.toml").read_text("utf-8"))
    return tuple(
        Intent(category, row["command"], tuple(row["requests"]), tuple(row["notes"]))
        for category, rows in tables.items()
        for row in rows
    )


def _draw(rng: Random, slot: str, other: str | None) -> str:
    while (value := SLOTS[slot](rng)) == other:
        continue
    return value


def _value(name: str, values: Mapping[str, str]) -> str:
    return LANGUAGES[values["ext"]] if name == "language" else values[name]
