"""The form: one row per key, with its value, what is allowed and what is wrong with it."""

from collections.abc import Mapping
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

    def show(self, draft: Draft, filter_text: str, problems: Mapping[str, str]) -> None:
        """Show the fields that match."""
        fields = draft.matching(filter_text)
        self.set_marks({key: "●" for key in draft.changes})
        self.set_rows(ListRows([(one.key, _row(one, draft, problems.get(one.key, ""))) for one in fields]))
        self.placeholder = "no key contains this text" if filter_text else "no params in this project"


def _row(one: FormField, draft: Draft, problem: str) -> dict[str, Cell]:
    value = draft.value_of(one)
    is_changed = one.key in draft.changes
    note: Cell = (f"✗ {problem}", "bad") if problem else (_note(one, is_changed=is_changed), "muted")
    style = "bad" if problem else "accent" if is_changed else ""
    return {"key": (one.key, "strong" if is_changed else ""), "value": (_shown(one, value), style), "note": note}


def _shown(one: FormField, value: Any) -> str:
    if one.kind == "switch":
        return "● on" if value else "○ off"
    if one.kind == "choice":
        return f"◂ {shown(value)} ▸"
    return shown(value)


def _note(one: FormField, *, is_changed: bool) -> str:
    return f"was {shown(one.value)}; {one.allowed}" if is_changed else one.allowed
