"""What the user has changed in the form so far: pure values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from tui.core.form import FormField, problems, shown
from tui.core.keys import MISSING
from tui.core.methods import unmet
from tui.core.runs import RunRequest


@dataclass(frozen=True, slots=True)
class Draft:
    """Fields of the workspace, and changes."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """Params of the workspace."""
    fields: Sequence[FormField] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Dotted key -> value, only where it differs from the workspace."""
    name: str = ""
    force: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether anything would be lost with it."""
        return bool(self.changes or self.name or self.force)

    @property
    def words(self) -> str:
        """How much is changed."""
        num = len(self.changes)
        return f"{num} change{'' if num == 1 else 's'}" if num else "params as in the workspace"

    def moved_to(self, values: Mapping[str, Any], fields: Sequence[FormField]) -> "Draft":
        """The same changes to params that may be others by now; a key that is gone cannot be changed any more."""
        draft = Draft(values, fields, name=self.name, force=self.force)
        for key, value in self.changes.items():
            one = draft.field_of(key)
            draft = draft.with_value(one, value) if one is not None else draft
        return draft

    def field_of(self, key: str) -> FormField | None:
        """The field with this key."""
        return next((one for one in self.fields if one.key == key), None)

    def value_of(self, one: FormField) -> Any:
        """Its value with the changes."""
        return self.changes.get(one.key, one.value)

    def with_value(self, one: FormField, value: Any) -> "Draft":
        """The draft with another value; the value of the workspace is no change."""
        changes = {key: old for key, old in self.changes.items() if key != one.key}
        if not _same(value, one.value):
            changes[one.key] = value
        return replace(self, changes=changes)

    def problems(self) -> dict[str, str]:
        """What is wrong, by key of the field; what belongs to no field is under its own key."""
        keys = {one.key for one in self.fields}
        return {_owner(key, keys): text for key, text in problems(self.values, self.changes).items()}

    def request(self) -> RunRequest:
        """What to launch."""
        return RunRequest(dict(self.changes), self.name or None, force=self.force)

    def matching(self, text: str) -> list[FormField]:
        """Fields whose key or help contains every word."""
        words = text.lower().split()
        return [one for one in self.fields if all(word in f"{one.key} {one.help}".lower() for word in words)]

    def without_effect(self) -> dict[str, str]:
        """Why a key has no effect now, for those that have none; only of finetui's own params."""
        found = {one.key: self.value_of(one) for one in self.fields}
        needs = {one.key: unmet(one.key, lambda key: found.get(key, MISSING)) for one in self.fields if one.has_default}
        return {
            key: f"no effect while {need.key} is {shown(found.get(need.key))}" if need.key else "no effect here"
            for key, need in needs.items()
            if need is not None
        }

    @property
    def sections(self) -> list[str]:
        """First parts of the keys, in order."""
        return list(dict.fromkeys(one.key.partition(".")[0] for one in self.fields))


def next_choice(one: FormField, value: Any, by: int) -> Any:
    """The neighbour of a value among those that are allowed; the value itself when there are none to step through."""
    if one.kind == "switch":
        return not value
    if one.kind == "choice":
        place = one.choices.index(value) if value in one.choices else -1
        return one.choices[(place + by) % len(one.choices)]
    return value


def _same(value: Any, other: Any) -> bool:
    """Equal, and of the same kind: 1 is not true."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _owner(key: str, keys: set[str]) -> str:
    """A problem inside a list belongs to the field of the list."""
    parts = key.split(".")
    owner = ".".join(takewhile(lambda part: not part.isdigit(), parts))
    return owner if owner in keys else key
