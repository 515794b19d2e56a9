"""Reads what per-example results say about experiments beside each other, and tells what is not there."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tui.core.errors import UsageError, UserError
from tui.core.examples import Evidence, ExampleComparison, Score, adjust, why_none
from tui.core.experiments import Experiment
from tui.core.ports import Store

_LIMIT = 1_000


def read_evidence(
    store: Store, experiments: Sequence[Experiment], baseline: Experiment, key: str | None = None, limit: int = _LIMIT
) -> Evidence:
    """Scores of each experiment, and each against the baseline; p-values are adjusted for so many candidates.

    A broken file is a note; UsageError if `key` is a score that no experiment shares with the baseline.
    """
    scores: list[tuple[Score, ...]] = []
    paired: list[ExampleComparison | None] = []
    problems: dict[int, UserError] = {}
    for place, one in enumerate(experiments):
        try:
            scores.append(tuple(store.scores(one)))
            paired.append(None if one.rev == baseline.rev else store.examples(baseline, one, key, limit))
        except UserError as error:
            problems[place] = error
            scores += [()] * (len(scores) == place)
            paired.append(_without_key(store, baseline, one) if isinstance(error, UsageError) else None)
    refused = [error for error in problems.values() if isinstance(error, UsageError)]
    if refused and not any(one is not None and one.key == key for one in paired):
        raise refused[0]
    notes = dict.fromkeys(
        f"{experiments[place].label}: {error}" if isinstance(error, UsageError) else str(error)
        for place, error in problems.items()
    )
    if any(scores) or any(one is not None and one.num_baseline for one in paired):
        for place in (place for place in range(len(paired)) if place not in problems):
            notes |= dict.fromkeys(_notes(experiments[place], scores[place], baseline, paired[place]))
    adjusted = adjust(paired)
    return Evidence(tuple(scores), tuple(adjusted), (*notes, *_floor_notes(adjusted)))


def _floor_notes(comparisons: Sequence[ExampleComparison | None]) -> Iterator[str]:
    """Scores of which so many candidates are more than their resamples can tell apart from chance."""
    known = [one for one in comparisons if one is not None]
    scores = [score for one in known for part in (one.scores, *one.categories.values()) for score in part]
    keys = sorted({score.key for score in scores if score.is_at_floor})
    if keys:
        yield (
            f"{', '.join(keys)}: a difference is marked as chance where its p is the smallest that the bootstrap can"
            f" give; against {len(known)} candidates that decides nothing, against fewer it may"
        )


def _without_key(store: Store, baseline: Experiment, candidate: Experiment) -> ExampleComparison:
    """The other scores, where the one that was asked for is not shared."""
    return replace(store.examples(baseline, candidate, None, 0), key=None)


def _notes(
    experiment: Experiment, scores: Sequence[Score], baseline: Experiment, comparison: ExampleComparison | None
) -> Iterator[str]:
    if comparison is None:
        if not scores:
            yield f"{experiment.label}: {why_none(experiment)}"
        return
    if not comparison.num_candidate:
        yield f"{experiment.label}: {why_none(experiment)}"
    if not comparison.num_baseline:
        yield f"{baseline.label}: {why_none(baseline)}"
    if comparison.problem:
        yield f"{experiment.label}: {comparison.problem}"
    if comparison.num_duplicates:
        yield f"{experiment.label}: {comparison.num_duplicates} rows left out, whose id came before or is missing"
    shared = comparison.num_shared
    if comparison.scores and shared < max(comparison.num_baseline, comparison.num_candidate):
        totals = f"{baseline.label} has {comparison.num_baseline}, it has {comparison.num_candidate}"
        yield f"{experiment.label}: compared on the {shared} examples that both have; {totals}"
    elif not (comparison.scores or comparison.problem) and comparison.num_baseline and comparison.num_candidate:
        yield f"{experiment.label}: shares no example and score with {baseline.label}"
