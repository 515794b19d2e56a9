"""The form: one row per key, with its value, what is allowed and what is wrong with it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from tui.core.form import FormField, shown
from tui.screens.launch.draft import Draft
from tui.widgets.table import Cell, Column, ListRows, VirtualTable

_COLUMNS = (
    Column("key", "key", max_width=40),
    Column("value", "value", max_width=28, min_width=12),
    Column("note", "allowed", max_width=60),
)


class ParamForm(VirtualTable):
    """Keys with their values; left and right step through choices instead of columns."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "screen.next_choice", "Next choice", show=False),
        Binding("left,h", "screen.previous_choice", "Previous choice", show=False),
        Binding("enter,space", "screen.edit", "Change", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="form", placeholder="reading params.yaml…")
        self.num_hidden = 0

    def show(self, draft: Draft, filter_text: str, problems: Mapping[str, str], *, everything: bool) -> None:
        """Show the fields that match; without a filter, those without effect are left out unless all are wanted.

        With one they come last; keys that begin with it come first, then those that contain it, then their helps.
        """
        without = draft.without_effect()
        hidden = {} if everything or filter_text else without.keys() - draft.changes.keys() - problems.keys()
        fields = [one for one in draft.matching(filter_text) if one.key not in hidden]
        if filter_text:
            words = filter_text.lower().split()
            fields.sort(key=lambda one: (one.key in without, _distance(one.key.lower(), words)))
        self.num_hidden = len(hidden)
        self.set_marks({key: "●" for key in draft.changes})
        rows = [(one.key, _row(one, draft, problems.get(one.key, ""), without.get(one.key, ""))) for one in fields]
        self.set_rows(ListRows(rows))
        self.placeholder = "no key contains this text" if filter_text else "no params in this project"


def _distance(key: str, words: Sequence[str]) -> int:
    """How far a key is from what was typed."""
    return 0 if key.startswith(tuple(words)) else 1 if all(word in key for word in words) else 2


def _row(one: FormField, draft: Draft, problem: str, without_effect: str) -> dict[str, Cell]:
    value = draft.value_of(one)
    is_changed = one.key in draft.changes
    words = without_effect or _note(one, is_changed=is_changed)
    note: Cell = (f"✗ {problem}", "bad") if problem else (words, "muted")
    style = "bad" if problem else "accent" if is_changed else "muted" if without_effect else ""
    key_style = "strong" if is_changed else "muted" if without_effect else ""
    return {"key": (one.key, key_style), "value": (_shown(one, value), style), "note": note}


def _shown(one: FormField, value: Any) -> str:
    if one.kind == "switch":
        return "● on" if value else "○ off"
    if one.kind == "choice":
        return f"◂ {shown(value)} ▸"
    return shown(value)


def _note(one: FormField, *, is_changed: bool) -> str:
    return f"was {shown(one.value)}; {one.allowed}" if is_changed else one.allowed
