"""Answers to the fixed prompts as a model learns: prompts on the left, the answers to one by step on the right."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from tui.core.series import Sample
from tui.screens.dialogs import TextDialog
from tui.widgets.table import Cell, Column, ListRows, VirtualTable
from tui.widgets.text import neutral

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_PROMPTS = (Column("right", "", width=1), Column("prompt", "prompt", max_width=200))
_ANSWERS = (Column("step", "step", "right"), Column("right", "", width=1), Column("answer", "answer", max_width=400))
_REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Story:
    """What became of the answer to one prompt."""

    prompt: str
    reference: str
    answers: tuple[tuple[int, str], ...]
    """Step and answer, in the order of the steps."""

    def is_right(self, answer: str) -> bool:
        """Whether an answer is the reference, white space apart."""
        return bool(self.reference) and answer.split() == self.reference.split()


def stories(samples: Sequence[Sample], stage: str | None) -> list[Story]:
    """One for each prompt of the stage, or of the last stage that has any; a step that came twice counts once."""
    stages = list(dict.fromkeys(one.stage for one in samples))
    shown = stage if stage in stages else stages[-1] if stages else None
    found: dict[str, dict[int, Sample]] = {}
    for one in samples:
        if one.stage == shown:
            found.setdefault(one.prompt, {})[one.step] = one
    return [
        Story(prompt, next(iter(steps.values())).reference, tuple((s, steps[s].prediction) for s in sorted(steps)))
        for prompt, steps in found.items()
    ]


class SamplesPane(Horizontal):
    """Two tables; enter tells the whole story of a prompt."""

    DEFAULT_CSS = "SamplesPane #prompts { width: 2fr; } SamplesPane #steps { width: 3fr; margin-left: 1; }"

    def __init__(self) -> None:
        super().__init__(id="samples")
        self._stories: dict[str, Story] = {}

    def compose(self) -> ComposeResult:
        """Prompts and answers."""
        yield VirtualTable(_PROMPTS, id="prompts", placeholder="no samples in the local cache")
        yield VirtualTable(_ANSWERS, id="steps", placeholder="")

    def show(self, found: Sequence[Story]) -> None:
        """Show these; the prompt that is chosen stays so."""
        self._stories = {story.prompt: story for story in found}
        self.query_one("#prompts", VirtualTable).set_rows(
            ListRows([(story.prompt, _prompt_row(story)) for story in found])
        )
        self._show_answers()

    @on(VirtualTable.Highlighted, "#prompts")
    def _show_answers(self) -> None:
        story = self._chosen()
        self.query_one("#steps", VirtualTable).set_rows(ListRows(_answer_rows(story) if story is not None else []))

    @on(VirtualTable.Activated)
    def _tell(self, message: VirtualTable.Activated) -> None:
        message.stop()
        story = self._chosen()
        if story is not None:
            self.app.push_screen(TextDialog("Answers by step", told(story), at_end=True))

    def _chosen(self) -> Story | None:
        return self._stories.get(self.query_one("#prompts", VirtualTable).cursor_key or "")


def _prompt_row(story: Story) -> dict[str, Cell]:
    return {"prompt": story.prompt, "right": _verdict(story, story.answers[-1][1])}


def _verdict(story: Story, answer: str) -> tuple[str, str]:
    if not story.reference:
        return "", ""
    return ("✓", "good") if story.is_right(answer) else ("✗", "muted")


def _answer_rows(story: Story) -> list[tuple[str, dict[str, Cell]]]:
    """The newest answer first, below the right one; an answer that is as before is dim."""
    rows: list[tuple[str, dict[str, Cell]]] = []
    before: str | None = None
    for step, answer in story.answers:
        style = "muted" if answer == before else "good" if story.is_right(answer) else ""
        text = answer if answer != before else f"″ {answer}"
        rows.append(
            (str(step), {"step": (str(step), "muted"), "right": _verdict(story, answer), "answer": (text, style)})
        )
        before = answer
    reference: dict[str, Cell] = {"step": ("right", "info"), "answer": (story.reference, "info")}
    return [*([(_REFERENCE, reference)] if story.reference else []), *reversed(rows)]


def told(story: Story) -> Content:
    """Every answer that differs from the one before, with what was added and what was left out."""
    lines = [Content.assemble(("prompt     ", "dim"), neutral(story.prompt, multiline=True))]
    if story.reference:
        lines.append(Content.assemble(("right      ", "dim"), neutral(story.reference, multiline=True)))
    before = ""
    for index, (step, answer) in enumerate(story.answers):
        if index and answer == before:
            continue
        glyph, _ = _verdict(story, answer)
        head = Content.assemble((f"step {step:<6}", "dim"), (f"{glyph or ' '} ", "bold"))
        lines.append(head + (changed(before, answer) if index else Content(neutral(answer, multiline=True))))
        before = answer
    last = story.answers[-1][0]
    lines.append(Content.styled(f"until step {last}", "dim"))
    return Content("\n").join(lines)


def changed(old: str, new: str) -> Content:
    """The new text; what was not in the old one is underlined, what is gone is struck out in brackets."""
    one, two = _WORDS.findall(old), _WORDS.findall(new)
    parts: list[Content | str] = []
    for kind, a, b, c, d in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        gone, come = (neutral("".join(words), multiline=True) for words in (one[a:b], two[c:d]))
        if kind == "equal":
            parts.append(come)
            continue
        if gone.strip():
            parts.append(Content.styled(f"[-{gone}-]", "dim strike $text-error"))
        if come:
            parts.append(Content.styled(come, "bold underline $text-success"))
    return Content.assemble(*parts)
