"""Editing in the form of the launch screen: values, the name, back to the workspace."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from textual import on
from textual.widgets import Input

from tui.core.form import FormField, parse, shown
from tui.core.names import NAME_RULES, name_problem
from tui.screens.dialogs import Choose
from tui.screens.launch.detail import Detail
from tui.screens.launch.draft import Draft, next_choice
from tui.screens.launch.form import ParamForm
from tui.screens.launch.form_screen import NAME, FormScreen
from tui.widgets.table import VirtualTable


class EditingScreen(FormScreen):
    """Edits a draft; what a change leads to is up to the screen."""

    def draft_changed(self) -> None:
        """The draft is another one, and is shown."""
        raise NotImplementedError

    def _changed(self) -> None:
        self._problems = self._draft.problems()
        self._show_form()
        self.draft_changed()

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
        if one.key == NAME:
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
        if one.key != NAME:
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
        self._edited = FormField(NAME, "text", "", allowed=NAME_RULES, help=help_text)
        self.query_one(Detail).edit(NAME, self._draft.name)
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

    @on(Input.Submitted)
    def _ignore(self, message: Input.Submitted) -> None:
        message.stop()
