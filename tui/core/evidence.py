"""Reads what per-example results say about experiments beside each other, and tells what is not there."""

from collections.abc import Iterator, Sequence

from tui.core.errors import UsageError, UserError
from tui.core.examples import Evidence, ExampleComparison, Score, adjust, why_none
from tui.core.experiments import Experiment
from tui.core.ports import Store

_LIMIT = 1_000


def read_evidence(
    store: Store, experiments: Sequence[Experiment], baseline: Experiment, key: str | None = None, limit: int = _LIMIT
) -> Evidence:
    """Scores of each experiment, and each against the baseline; p-values are adjusted for so many candidates.

    A broken file is a note; UsageError if `key` is no score that an experiment and the baseline have.
    """
    scores: list[tuple[Score, ...]] = []
    paired: list[ExampleComparison | None] = []
    notes: dict[str, None] = {}
    broken: set[int] = set()
    for one in experiments:
        try:
            scores.append(tuple(store.scores(one)))
            paired.append(None if one.rev == baseline.rev else store.examples(baseline, one, key, limit))
        except UsageError:
            raise
        except UserError as error:
            scores += [()] * (len(scores) == len(paired))
            broken.add(len(paired))
            paired.append(None)
            notes[str(error)] = None
    if any(scores) or any(one is not None and one.num_baseline for one in paired):
        for place in (place for place in range(len(paired)) if place not in broken):
            notes |= dict.fromkeys(_notes(experiments[place], scores[place], baseline, paired[place]))
    return Evidence(tuple(scores), tuple(adjust(paired)), tuple(notes))


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
