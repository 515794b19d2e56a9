"""Per-example results of experiments: means with intervals, and two experiments joined example by example."""

from collections.abc import Sequence
from typing import Any

from pipeline.contract.metrics import direction
from tui.core.columns import metric_order
from tui.core.errors import UsageError
from tui.core.examples import Change, ExampleChange, ExampleComparison, PairedScore, Score, Test
from tui.store import statistics

_ID = "id"
_TEXTS = ("category", "prompt", "reference", "prediction")
_MAX_CATEGORIES = 100
_BASE_MODEL = "base_"


def scores_of(frame: Any) -> list[Score]:
    """Mean of every score of the per-example results, with its interval."""
    frame, _ = _distinct(_readable(frame))
    scores = (_score(key, _numbers(frame, key)) for key in _score_keys(frame))
    return [score for score in scores if score is not None]


def compare_examples(baseline: Any, candidate: Any, key: str | None = None, limit: int = 1_000) -> ExampleComparison:
    """Two frames of per-example results joined by the example; UsageError for a score that they do not have."""
    num_baseline, num_candidate = baseline.height, candidate.height
    if not num_baseline or not num_candidate:
        return ExampleComparison(num_baseline, num_candidate)
    baseline, candidate = _readable(baseline), _readable(candidate)
    if _ID not in baseline.columns or _ID not in candidate.columns:
        problem = f"the per-example results cannot be joined: they have no column `{_ID}`"
        return ExampleComparison(num_baseline, num_candidate, problem=problem)
    (old, old_duplicates), (new, new_duplicates) = _distinct(baseline), _distinct(candidate)
    old, new = _shared(old, new)
    keys = [one for one in _score_keys(old) if one in _score_keys(new)]
    chosen = _chosen(keys, key)
    return ExampleComparison(
        num_baseline,
        num_candidate,
        old.height,
        old_duplicates + new_duplicates,
        scores=_all_paired(keys, old, new),
        categories=_by_category(keys, old, new),
        changes=tuple(_changes(chosen, old, new, limit)) if chosen is not None else (),
        key=chosen,
    )


def compare_score(baseline: Any, candidate: Any, key: str) -> PairedScore | None:
    """One score of two frames on the examples that both have; None where they share none, or not the score."""
    frames = [_readable(frame) for frame in (baseline, candidate) if frame.height and _ID in frame.columns]
    if len(frames) < 2 or not all(key in _score_keys(frame) for frame in frames):
        return None
    (old, _), (new, _) = (_distinct(frame) for frame in frames)
    return _paired(key, *_shared(old, new))


def _readable(frame: Any) -> Any:
    """Ids and texts as text; without those that are lists or records."""
    import polars as pl

    names = [name for name in (_ID, *_TEXTS) if name in frame.columns]
    nested = [name for name in names if frame.schema[name].is_nested()]
    texts = [pl.col(name).cast(pl.String, strict=False) for name in names if name not in nested]
    return frame.with_columns(texts).drop(nested)


def _distinct(frame: Any) -> tuple[Any, int]:
    """The first row of every id, and how many others there were."""
    import polars as pl

    if _ID not in frame.columns:
        return frame, 0
    kept = frame.filter(pl.col(_ID).is_not_null()).unique(_ID, keep="first", maintain_order=True)
    return kept, frame.height - kept.height


def _shared(old: Any, new: Any) -> tuple[Any, ...]:
    """Rows of the same examples in the same order; an id that means another prompt now is another example."""
    keys = [name for name in (_ID, "prompt") if name in old.columns and name in new.columns]
    ids = old.select(keys).join(new.select(keys), on=keys, how="inner", nulls_equal=True).select(_ID).sort(_ID)
    return tuple(ids.join(one, on=_ID, how="left", maintain_order="left") for one in (old, new))


def _score_keys(frame: Any) -> list[str]:
    """Columns that are scores, those that matter most first: numbers and yes or no, but not those of the base model."""
    names = [
        name
        for name, kind in frame.schema.items()
        if (kind.is_numeric() or str(kind) == "Boolean") and name not in (_ID, *_TEXTS) and not _is_twin(name, frame)
    ]
    return sorted(names, key=lambda name: metric_order(f"test/{name}"))


def _is_twin(name: str, frame: Any) -> bool:
    return name.startswith(_BASE_MODEL) and name.removeprefix(_BASE_MODEL) in frame.columns


def _numbers(frame: Any, key: str) -> Any:
    """A score as numbers, NaN where there is none."""
    import numpy as np
    import polars as pl

    values = frame[key].cast(pl.Float64, strict=False).to_numpy().astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _score(key: str, values: Any) -> Score | None:
    import numpy as np

    values = values[~np.isnan(values)]
    if not len(values):
        return None
    is_share = _is_yes_or_no(values)
    interval = (
        statistics.proportion_interval(int(values.sum()), len(values)) if is_share else statistics.mean_interval(values)
    )
    return Score(key, len(values), float(values.mean()), interval)


def _is_yes_or_no(values: Any) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _all_paired(keys: Sequence[str], old: Any, new: Any) -> tuple[PairedScore, ...]:
    return tuple(score for one in keys if (score := _paired(one, old, new)) is not None)


def _by_category(keys: Sequence[str], old: Any, new: Any) -> dict[str, tuple[PairedScore, ...]]:
    """Over the examples of each category, as the candidate has it; none where there is only one."""
    if "category" not in new.columns:
        return {}
    names = new["category"]
    found = names.unique().drop_nulls().to_list()
    if not 1 < len(found) <= _MAX_CATEGORIES:
        return {}
    return {name: _all_paired(keys, old.filter(names == name), new.filter(names == name)) for name in sorted(found)}


def _paired(key: str, old: Any, new: Any) -> PairedScore | None:
    import numpy as np

    before, after = _numbers(old, key), _numbers(new, key)
    both = ~(np.isnan(before) | np.isnan(after))
    before, after = before[both], after[both]
    if not len(before):
        return None
    differences = after - before
    more, fewer = int((differences > 0).sum()), int((differences < 0).sum())
    test = _test_of(before, after)
    interval, p_value = (
        statistics.paired_share_test(more, fewer, len(before))
        if test == "mcnemar"
        else statistics.paired_mean_test(differences)
    )
    smallest = statistics.smallest_p_value(len(before)) if test == "bootstrap" else None
    fixed, broke = {"higher": (more, fewer), "lower": (fewer, more), "none": (0, 0)}[direction(key)]
    return PairedScore(
        key, len(before), float(before.mean()), float(after.mean()), interval, test, p_value, fixed, broke,
        smallest_p_value=smallest,
    )  # fmt: skip


def _test_of(before: Any, after: Any) -> Test:
    if _is_yes_or_no(before) and _is_yes_or_no(after):
        return "mcnemar"
    return "t" if statistics.draws_none(len(before)) else "bootstrap"


def _chosen(keys: Sequence[str], key: str | None) -> str | None:
    """The score whose changes are listed: the one asked for, else the first of which one way is better."""
    judged = [one for one in keys if direction(one) != "none"]
    if key is None:
        return judged[0] if judged else None
    if key not in judged:
        known = ", ".join(judged) or "none that both have"
        reason = "neither way of it is better" if key in keys else "the per-example results have no such score"
        raise UsageError(f"no examples were fixed or broke in {key!r}: {reason}", hint=f"scores: {known}")
    return key


def _changes(key: str, old: Any, new: Any, limit: int) -> list[ExampleChange]:
    import numpy as np

    before, after = _numbers(old, key), _numbers(new, key)
    gains = (after - before) * (1 if direction(key) == "higher" else -1)
    found: list[ExampleChange] = []
    places_of: dict[Change, Any] = {"fixed": np.flatnonzero(gains > 0), "broke": np.flatnonzero(gains < 0)}
    for change, places in places_of.items():
        rows = _rows(change, places, key, old, new)
        sizes = dict(zip((row.id for row in rows), np.abs(gains[places]).tolist(), strict=True))
        rows.sort(key=lambda row: (-sizes[row.id], row.category, row.id))
        found += rows[:limit]
    return found


def _rows(change: Change, places: Any, key: str, old: Any, new: Any) -> list[ExampleChange]:
    return [
        ExampleChange(
            one[_ID],
            change,
            _text(two, "category"),
            _text(two, "prompt"),
            _text(two, "reference"),
            _text(one, "prediction"),
            _text(two, "prediction"),
            one[key],
            two[key],
        )
        for one, two in zip(old[places].iter_rows(named=True), new[places].iter_rows(named=True), strict=True)
    ]


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)
