"""The form part of the launch screen: show fields, edit values, find keys."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from textual import on
from textual.content import Content
from textual.widgets import Input

from tui.core.form import FormField, parse, shown
from tui.core.names import NAME_RULES, name_problem
from tui.core.runs import Run
from tui.screens.base import Bench, WorkerScreen
from tui.screens.dialogs import Choose
from tui.screens.launch.detail import Detail
from tui.screens.launch.draft import Draft, next_choice
from tui.screens.launch.form import ParamForm
from tui.widgets.filterbar import FilterBar
from tui.widgets.line import Line
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral

_NAME = "experiment name"
_MAX_SECTIONS = 9


class EditingScreen(WorkerScreen[Run | Draft]):
    """Edits a draft; what a change leads to is up to the screen."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._draft = Draft()
        self._problems: dict[str, str] = {}
        self._typed_problem = ""
        self._edited: FormField | None = None
        self._shows_everything = False

    def draft_changed(self) -> None:
        """The draft is another one, and is shown."""
        raise NotImplementedError

    def _changed(self) -> None:
        self._problems = self._draft.problems()
        self._show_form()
        self.draft_changed()

    # Showing

    def _show_form(self) -> None:
        text = self.query_one(FilterBar).value
        self.query_one(ParamForm).show(self._draft, text, self._problems, everything=self._shows_everything)
        self._show_title()
        self._show_detail()

    def _show_title(self) -> None:
        draft, bad, text = self._draft, len(self._problems), self.query_one(FilterBar).value
        hidden = self.query_one(ParamForm).num_hidden
        found = f"  find: {neutral(text)} ({self.query_one(ParamForm).rows.num_rows} of {len(draft.fields)} keys)"
        self.query_one("#title", Line).text = Content.assemble(
            ("New run", "bold"),
            f"  {neutral(draft.name) or '(name is made up)'}  {draft.words}",
            ("  forced" if draft.force else "", "$text-warning"),
            (f"  ✗ {bad} problem{'' if bad == 1 else 's'}" if bad else "", "$text-error"),
            (found if text.strip() else "", "$text-accent"),
            (f"  {hidden} without effect (a)" if hidden else "", "dim"),
        )

    def _show_sections(self) -> None:
        key = self.query_one(ParamForm).cursor_key or ""
        parts = [
            Content.styled(f"{number} {neutral(name)}", "bold reverse" if name == key.partition(".")[0] else "dim")
            for number, name in enumerate(self._draft.sections[:_MAX_SECTIONS], 1)
        ]
        self.query_one("#sections", Line).text = Content("  ").join(parts)

    def _show_detail(self) -> None:
        self._show_sections()
        detail = self.query_one(Detail)
        one = self._edited or self._current()
        if one is None:
            detail.show("", Content(""))
            return
        problem = self._typed_problem or self._problems.get(one.key, "")
        default = f"; default {shown(one.default)}" if one.has_default else ""
        workspace = f"; workspace {neutral(shown(one.value))}" if one.key != _NAME else ""
        without = "" if problem or one.key == _NAME else self._draft.without_effect().get(one.key, "")
        words = [
            Content.styled(f"✗ {neutral(problem)}", "$text-error") if problem else None,
            Content.styled(neutral(without), "$text-warning") if without else None,
            Content(neutral(one.help)),
            Content.styled(f"{one.allowed}{default}{workspace}", "dim"),
        ]
        detail.show(neutral(one.key), Content("\n").join([line for line in words if line]))

    def _current(self) -> FormField | None:
        key = self.query_one(ParamForm).cursor_key
        return self._draft.field_of(key) if key is not None else None

    @on(VirtualTable.Highlighted)
    def _highlighted(self) -> None:
        self._show_detail()

    # Editing

    def _set(self, one: FormField, value: Any) -> None:
        self._draft = self._draft.with_value(one, value)
        self._changed()

    def action_edit(self) -> None:
        """Change the value at the cursor in the way that suits it."""
        one = self._current()
        if one is None or not self.finish_editing():
            return
        value = self._draft.value_of(one)
        if one.kind == "switch":
            self._set(one, not value)
        elif one.kind == "choice":
            current = one.choices.index(value) if value in one.choices else None
            self.app.push_screen(Choose(one.key, one.choices, current), self._setter(one))
        else:
            self._edited = one
            self.query_one(Detail).edit(one.key, shown(value))

    @on(VirtualTable.Activated)
    def _activated(self) -> None:
        self.action_edit()

    def _setter(self, one: FormField) -> Any:
        return lambda index: None if index is None else self._set(one, one.choices[index])

    def action_next_choice(self) -> None:
        """The next allowed value."""
        self._step_choice(1)

    def action_previous_choice(self) -> None:
        """The previous allowed value."""
        self._step_choice(-1)

    def _step_choice(self, by: int) -> None:
        one = self._current()
        if one is not None and one.kind in {"switch", "choice"}:
            self._set(one, next_choice(one, self._draft.value_of(one), by))

    @on(Detail.Typed)
    def _typed(self, message: Detail.Typed) -> None:
        one = self._edited
        if one is not None:
            self._typed_problem = self._problem_with(one, message.text)
            self._show_detail()

    def _problem_with(self, one: FormField, text: str) -> str:
        if one.key == _NAME:
            return name_problem(text.strip())
        try:
            return self._draft.with_value(one, parse(one, text)).problems().get(one.key, "")
        except ValueError as error:
            return str(error)

    @on(Detail.Entered)
    def finish_editing(self) -> bool:
        """Take what is typed; if that cannot be, say why beside it and go on editing."""
        one, detail = self._edited, self.query_one(Detail)
        if one is None:
            return True
        try:
            draft = self._with_typed(one, detail.text.strip())
        except ValueError as error:
            self._typed_problem = str(error)
            self._show_detail()
            detail.resume()
            return False
        self.end_editing()
        self._draft = draft
        self._changed()
        return True

    def _with_typed(self, one: FormField, text: str) -> Draft:
        if one.key != _NAME:
            return self._draft.with_value(one, parse(one, text))
        problem = name_problem(text)
        if problem:
            raise ValueError(problem)
        return replace(self._draft, name=text)

    @on(Detail.Ended)
    def end_editing(self) -> None:
        """Leave the value as it was."""
        self._edited, self._typed_problem = None, ""
        self.query_one(Detail).end()
        self.query_one(ParamForm).focus()
        self._show_detail()

    def action_name(self) -> None:
        """Type the name of the experiment."""
        if not self.finish_editing():
            return
        help_text = "Names the experiment in Git. Empty makes one up."
        self._edited = FormField(_NAME, "text", "", allowed=NAME_RULES, help=help_text)
        self.query_one(Detail).edit(_NAME, self._draft.name)
        self._show_detail()

    def action_reset(self) -> None:
        """Back to the value of the workspace."""
        one = self._current()
        if one is not None:
            self._set(one, one.value)

    def action_reset_all(self) -> None:
        """Back to the workspace: drop every change, the name, and force."""
        self._draft = replace(self._draft, changes={}, name="", force=False)
        self._changed()

    def action_toggle_force(self) -> None:
        """Run what is up to date as well, or not."""
        self._draft = replace(self._draft, force=not self._draft.force)
        self._changed()

    def action_next_changed(self) -> None:
        """Jump to the next key that is changed or wrong."""
        self._jump({*self._draft.changes, *self._problems})

    def _jump(self, wanted: Collection[str]) -> None:
        form = self.query_one(ParamForm)
        keys = [form.rows.key(row) for row in range(form.rows.num_rows)]
        after = [*keys[form.cursor_row + 1 :], *keys[: form.cursor_row + 1]]
        target = next((key for key in after if key in wanted), None)
        if target is not None:
            form.select(target)

    # Finding

    def action_jump_section(self, index: int) -> None:
        """To the first key of a section, with what follows it below."""
        sections = self._draft.sections
        if index >= len(sections) or not self.finish_editing():
            return
        bar, form = self.query_one(FilterBar), self.query_one(ParamForm)
        bar.clear()
        self._show_form()
        first = next(one.key for one in self._draft.fields if one.key.partition(".")[0] == sections[index])
        form.action_last_row()
        if not form.select(first):
            self._jump_into(sections[index])

    def _jump_into(self, section: str) -> None:
        """Its first key is left out: to the first one that is not."""
        form = self.query_one(ParamForm)
        keys = (form.rows.key(row) for row in range(form.rows.num_rows))
        target = next((key for key in keys if key.partition(".")[0] == section), None)
        if target is not None:
            form.select(target)

    def action_choose_section(self) -> None:
        """Choose a section from a list."""
        if self._draft.sections and self.finish_editing():
            self.app.push_screen(
                Choose("Section", self._draft.sections, None),
                lambda index: None if index is None else self.action_jump_section(index),
            )

    def action_toggle_everything(self) -> None:
        """Show keys without effect as well, or leave them out."""
        self._shows_everything = not self._shows_everything
        self._show_form()

    def action_filter(self) -> None:
        """Type a part of a key."""
        self.query_one(FilterBar).open()

    @on(FilterBar.Changed)
    def _filter(self, message: FilterBar.Changed) -> None:
        self._show_form()
        if message.text:
            self.query_one(ParamForm).action_first_row()

    @on(FilterBar.Closed)
    def _filter_closed(self) -> None:
        self.query_one(ParamForm).focus()

    @on(Input.Submitted)
    def _ignore(self, message: Input.Submitted) -> None:
        message.stop()
