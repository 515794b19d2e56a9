"""The form of the launch screen: what is shown of the draft, and how keys are found."""

from textual import on
from textual.content import Content

from tui.core.form import FormField, shown
from tui.core.runs import Run
from tui.screens.base import Bench, WorkerScreen
from tui.screens.dialogs import Choose
from tui.screens.launch.detail import Detail
from tui.screens.launch.draft import Draft
from tui.screens.launch.form import ParamForm
from tui.screens.title import Part, Title
from tui.widgets.filterbar import FilterBar
from tui.widgets.line import Line
from tui.widgets.table import VirtualTable
from tui.widgets.text import neutral

NAME = "experiment name"
_MAX_SECTIONS = 9


class FormScreen(WorkerScreen[Run | Draft]):
    """Shows a draft; how it is edited is up to the screen."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._draft = Draft()
        self._problems: dict[str, str] = {}
        self._typed_problem = ""
        self._edited: FormField | None = None
        self._shows_everything = False

    def finish_editing(self) -> bool:
        """Take what is typed; whether that could be."""
        raise NotImplementedError

    # Showing

    def _show_form(self) -> None:
        text = self.query_one(FilterBar).value
        self.query_one(ParamForm).show(self._draft, text, self._problems, everything=self._shows_everything)
        self._show_title()
        self._show_detail()

    def _show_title(self) -> None:
        draft, form, text = self._draft, self.query_one(ParamForm), self.query_one(FilterBar).value.strip()
        num = form.rows.num_rows
        bad, found = len(self._problems), f"find: {neutral(text)} ({num} of {len(draft.fields)} keys)"
        self.query_one(Title).tell(
            Part(Content.styled("New run", "bold")),
            Part(neutral(draft.name)) if draft.name else Part("(name is made up)", rank=2),
            Part(draft.words, rank=0 if draft.changes else 3),
            Part(Content.styled("forced" if draft.force else "", "$text-warning")),
            Part(Content.styled(f"✗ {bad} problem{'' if bad == 1 else 's'}" if bad else "", "$text-error")),
            Part(Content.styled(found if text else "", "$text-accent")),
            Part(Content.styled(f"{form.num_hidden} without effect (a)" if form.num_hidden else "", "dim"), rank=1),
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
        workspace = f"; workspace {neutral(shown(one.value))}" if one.key != NAME else ""
        without = "" if problem or one.key == NAME else self._draft.without_effect().get(one.key, "")
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
        row = form.cursor_row
        form.action_last_row()
        if not form.select(first) and not self._select_in(sections[index]):
            form.move_cursor(row)
            self.notify(f"Every key of {neutral(sections[index])} is without effect now; a shows them", markup=False)

    def _select_in(self, section: str) -> bool:
        """Where its first key is left out: the first one that is not; whether there is one."""
        form = self.query_one(ParamForm)
        keys = (form.rows.key(row) for row in range(form.rows.num_rows))
        target = next((key for key in keys if key.partition(".")[0] == section), None)
        return target is not None and form.select(target)

    def action_choose_section(self) -> None:
        """Choose a section from a list."""
        sections, here = self._draft.sections, (self.query_one(ParamForm).cursor_key or "").partition(".")[0]
        if sections and self.finish_editing():
            self.app.push_screen(
                Choose("Section", sections, sections.index(here) if here in sections else None),
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
