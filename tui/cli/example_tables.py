"""Per-example results on the command line: scores with intervals, and examples that were fixed or broke."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tui.cli.output import Format, print_line, print_table, raw
from tui.cli.text_room import shorten
from tui.core.comparison import Comparison
from tui.core.examples import Evidence, ExampleChange, ExampleComparison, PairedScore, Score
from tui.core.values import format_delta, format_interval, format_p, format_value
from tui.core.visible import visible

_MIN_WIDTH = 8
_NUM_TEXTS = 4
_FIELDS = ("mean", "low", "high", "delta", "delta_low", "delta_high", "p_value", "adjusted_p_value", "fixed", "broke")


def print_scores(evidence: Evidence, comparison: Comparison, form: Format) -> None:
    """Every score of every experiment, with its change and whether that can be chance; nothing if there are none."""
    keys = dict.fromkeys(score.key for scores in evidence.scores for score in scores)
    if not keys and not evidence.notes:
        return
    print_line()
    if keys:
        adjusted = f", p by Holm over {evidence.num_candidates} candidates" if evidence.num_candidates > 1 else ""
        print_line(f"per example, against {visible(comparison.baseline.label)}: means and differences with intervals")
        print_line(f"of 95 %, p of an exact McNemar test (yes or no) or a paired t test or bootstrap{adjusted}")
        print_line()
        headers = ["score", "experiment", "examples", "mean", "", "difference", "", "p", "fixed", "broke"]
        labels = comparison.labels
        rows = [
            [key, label, *_cells(key, scores, paired)]
            for key in keys
            for label, scores, paired in zip(labels, evidence.scores, evidence.paired, strict=True)
        ]
        print_table(headers, rows, form)
    for note in evidence.notes:
        print_line(visible(note))


def _cells(key: str, scores: Sequence[Score], comparison: ExampleComparison | None) -> list[str]:
    score = next((one for one in scores if one.key == key), None)
    paired = comparison.score(key) if comparison is not None else None
    own = ["-", "-", ""]
    if score is not None:
        own = [str(score.num_examples), format_value(score.mean, key), format_interval(score.interval, key)]
    return [*own, *(["", "", "", "", ""] if paired is None else _paired_cells(paired))]


def _paired_cells(paired: PairedScore) -> list[str]:
    p_value = paired.p_value if paired.adjusted_p_value is None else paired.adjusted_p_value
    sign = "~ " if paired.is_noise and paired.delta else ""
    interval = format_interval(paired.interval, paired.key)
    counts = [str(paired.num_fixed), str(paired.num_broke)]
    return [sign + format_delta(paired.delta, paired.key), interval, format_p(p_value), *counts]


def raw_score_rows(evidence: Evidence) -> list[list[str]]:
    """The same for another program: one row for each number."""
    keys = dict.fromkeys(score.key for scores in evidence.scores for score in scores)
    rows = []
    for key in keys:
        numbers = [_numbers(key, *own) for own in zip(evidence.scores, evidence.paired, strict=True)]
        rows += [[f"example/{key}:{name}", *(raw(one.get(name)) for one in numbers)] for name in _FIELDS]
    return rows


def _numbers(key: str, scores: Sequence[Score], comparison: ExampleComparison | None) -> dict[str, Any]:
    score = next((one for one in scores if one.key == key), None)
    paired = comparison.score(key) if comparison is not None else None
    found: dict[str, Any] = {}
    if score is not None:
        found["mean"] = score.mean
        if score.interval is not None:
            found |= {"low": score.interval.low, "high": score.interval.high}
    if paired is not None:
        found |= {"delta": paired.delta, "p_value": paired.p_value, "adjusted_p_value": paired.adjusted_p_value}
        found |= {"fixed": paired.num_fixed, "broke": paired.num_broke}
        if paired.interval is not None:
            found |= {"delta_low": paired.interval.low, "delta_high": paired.interval.high}
    return found


def print_changes(evidence: Evidence, comparison: Comparison, form: Format) -> None:
    """Examples that were fixed and that broke, experiment by experiment, cut to the width of the terminal."""
    for label, one in zip(comparison.labels, evidence.paired, strict=True):
        if one is None or one.key is None:
            continue
        fixed = sum(change.change == "fixed" for change in one.changes)
        counts = f"{fixed} fixed, {len(one.changes) - fixed} broke"
        print_line()
        print_line(visible(f"{label} against {comparison.baseline.label}, {one.key}: {counts}"))
        if one.changes:
            width = _text_width(one.changes) if form == "text" else None
            headers = ["", "category", "prompt", "reference", comparison.baseline.label, label]
            print_table(headers, [_change_cells(change, width) for change in one.changes], form)


def _text_width(changes: Sequence[ExampleChange]) -> int:
    """Columns of each of the four texts."""
    others = len("fixed") + max(len(change.category) for change in changes) + 2 * 5
    return max(_MIN_WIDTH, (shutil.get_terminal_size((160, 24)).columns - others) // _NUM_TEXTS)


def _change_cells(change: ExampleChange, width: int | None) -> list[str]:
    texts = (change.prompt, change.reference, change.baseline_prediction, change.candidate_prediction)
    return [change.change, change.category, *(shorten(visible(text), width) for text in texts)]


def evidence_as_json(evidence: Evidence, *, with_changes: bool) -> dict[str, Any]:
    """Everything; the examples themselves only if they were asked for."""
    return {
        "scores": [[asdict(score) for score in scores] for scores in evidence.scores],
        "paired": [None if one is None else _comparison_as_json(one, with_changes) for one in evidence.paired],
        "notes": list(evidence.notes),
    }


def _comparison_as_json(comparison: ExampleComparison, with_changes: bool) -> dict[str, Any]:
    answer = asdict(comparison)
    pairs = [(answer["scores"], comparison.scores)]
    pairs += [(answer["categories"][name], scores) for name, scores in comparison.categories.items()]
    for found, scores in pairs:
        for as_json, score in zip(found, scores, strict=True):
            as_json |= {"delta": score.delta, "is_noise": score.is_noise}
    if not with_changes:
        del answer["changes"], answer["key"]
    return answer
