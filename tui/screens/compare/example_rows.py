"""How examples that were fixed or broke are shown: as rows, in full, summed up."""

from collections.abc import Sequence

from textual.content import Content

from tui.core.examples import Change, ExampleChange, ExampleComparison, PairedScore
from tui.core.experiments import Experiment
from tui.core.values import format_delta, format_interval, format_p, format_param, format_value
from tui.screens.run.samples import changed
from tui.screens.title import Part
from tui.widgets.table import Cell, Column, ListRows
from tui.widgets.text import neutral, shorten

Kind = Change
_LABELS = {"fixed": ("✓ fixed", "good"), "broke": ("✗ broke", "bad")}
_MIN_TEXT = 16
_OTHERS = 30
"""Cells of the columns that are no text, of the gaps and of the border."""
_WIDE = 120


def columns(baseline: Experiment, candidate: Experiment, width: int) -> list[Column]:
    """What happened, then what was asked and answered."""
    texts = [("prompt", "prompt"), ("baseline", f"⚑ {baseline.label}"), ("candidate", candidate.label)]
    if width >= _WIDE:  # below the list it is seen anyway
        texts.insert(1, ("reference", "reference"))
    share = max(_MIN_TEXT, (width - _OTHERS) // len(texts))
    first = [Column("change", "", max_width=7), Column("category", "category", max_width=14)]
    return [*first, *(Column(key, title, max_width=share) for key, title in texts)]


def rows_of(changes: Sequence[ExampleChange]) -> ListRows:
    """One row for each example."""
    return ListRows([(one.id, _row(one)) for one in changes])


def _row(one: ExampleChange) -> dict[str, Cell]:
    worse, better = ("muted", "good") if one.change == "fixed" else ("muted", "bad")
    return {
        "change": _LABELS[one.change],
        "category": one.category,
        "prompt": one.prompt,
        "reference": (one.reference, "info"),
        "baseline": (one.baseline_prediction, worse),
        "candidate": (one.candidate_prediction, better),
    }


def summary(
    baseline: Experiment, candidate: Experiment, comparison: ExampleComparison | None, place: tuple[int, int]
) -> list[Part]:
    """One line: which two, by which score, how many; names are cut before anything else is lost."""
    which = f" {place[0]} of {place[1]}" if place[1] > 1 else ""
    ours, theirs = neutral(candidate.label), neutral(baseline.label)
    score = comparison.score(comparison.key) if comparison is not None and comparison.key is not None else None
    return [
        Part(Content.styled("Examples", "bold"), rank=3),
        Part(f"{ours}{which} against ⚑ {theirs}", f"{shorten(ours, 14)}{which} ⚑ {shorten(theirs, 14)}", rank=2),
        *(_told(score, comparison) if comparison is not None and score is not None else []),
    ]


def _told(score: PairedScore, comparison: ExampleComparison) -> list[Part]:
    counts = f"{score.num_fixed} fixed, {score.num_broke} broke"
    key = neutral(score.key)
    return [
        Part(Content.styled(key, "bold $text-accent"), Content.styled(shorten(key, 16), "bold $text-accent"), rank=1),
        Part(f"{counts} of {comparison.num_shared}"),
    ]


def change_of(score: PairedScore) -> str:
    """How much the mean changed, and whether that can be chance."""
    p_value = score.p_value if score.adjusted_p_value is None else score.adjusted_p_value
    delta, interval = format_delta(score.delta, score.key), format_interval(score.interval, score.key)
    return f"{delta} {interval} p {format_p(p_value)}{' ~ can be chance' if score.is_noise else ''}"


def told(
    change: ExampleChange, baseline: Experiment, candidate: Experiment, *, in_full: bool = False, plain: bool = False
) -> Content:
    """Prompt, reference and both answers, one after the other; in full each keeps its lines."""
    multiline = in_full or plain

    def safe(text: str) -> str:
        return neutral(text, multiline=multiline)

    one, two = safe(change.baseline_prediction), safe(change.candidate_prediction)
    answer = Content(two) if plain else changed(one, two)
    parts = [
        ("prompt", Content(safe(change.prompt))),
        ("reference", Content(safe(change.reference))),
        (f"⚑ {neutral(baseline.label)}  {_score(change.baseline_score)}", Content(one)),
        (f"{neutral(candidate.label)}  {_score(change.candidate_score)}", answer),
    ]
    if not multiline:
        width = max(len(name) for name, _ in parts)
        return Content("\n").join(Content.assemble((f"{name:<{width}}  ", "dim"), text) for name, text in parts)
    return Content("\n\n").join(Content.assemble((f"{name}\n", "bold $text-accent"), text) for name, text in parts)


def _score(value: object) -> str:
    return format_value(value) if isinstance(value, float) else format_param(value)
