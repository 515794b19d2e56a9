"""Experiments arranged as rows: a tree of commits, or one sorted list."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from tui.core.experiments import Experiment

SortKey = Callable[[Experiment], Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the home screen."""

    key: str
    """What identifies it when others come and go."""
    experiment: Experiment
    depth: int = 0
    """1 below a commit, else 0."""
    num_children: int = 0
    """How many experiments were started from this commit and match."""
    is_folded: bool = False
    """Whether those are hidden."""


def row_key(experiment: Experiment) -> str:
    """What stays the same while a run becomes an experiment: baseline and name; else the revision."""
    if experiment.kind == "experiment" and experiment.name:
        return f"{experiment.baseline or ''}/{experiment.name}"
    return experiment.rev


def arrange(
    experiments: Sequence[Experiment],
    matches: Callable[[Experiment], bool] | None = None,
    sort_key: SortKey | None = None,
    *,
    is_flat: bool = False,
    folded: Collection[str] = (),
) -> list[Row]:
    """Rows in the order in which they are shown; a commit stays as long as one of its experiments matches.

    What is folded is hidden, except where only matches are asked for.
    """
    pairs = keyed(experiments)
    kept = {key for key, experiment in pairs if matches is None or matches(experiment)}
    if is_flat:
        rows = [Row(key, experiment) for key, experiment in pairs if key in kept]
        return rows if sort_key is None else sorted(rows, key=lambda row: sort_key(row.experiment))
    rows = []
    for parent, children in _groups(pairs):
        shown = [(key, child) for key, child in children if key in kept]
        if parent[0] not in kept and not shown:
            continue
        if sort_key is not None:
            shown.sort(key=lambda pair: sort_key(pair[1]))
        is_folded = matches is None and parent[0] in folded and bool(shown)
        rows.append(Row(*parent, num_children=len(shown), is_folded=is_folded))
        rows += [] if is_folded else [Row(key, child, depth=1) for key, child in shown]
    return rows


def keyed(experiments: Sequence[Experiment]) -> list[tuple[str, Experiment]]:
    """Every experiment with a key that no other one has."""
    seen: set[str] = set()
    pairs = []
    for experiment in experiments:
        key = row_key(experiment)
        if key in seen:
            key = f"{key}@{experiment.run_id or experiment.rev}"
        if key not in seen:
            seen.add(key)
            pairs.append((key, experiment))
    return pairs


_Keyed = tuple[str, Experiment]


def _groups(pairs: Sequence[_Keyed]) -> list[tuple[_Keyed, list[_Keyed]]]:
    """Commits with their experiments; an experiment whose commit is not listed stands alone."""
    groups: list[tuple[_Keyed, list[_Keyed]]] = []
    by_rev: dict[str, list[_Keyed]] = {}
    for key, experiment in pairs:
        if experiment.kind == "experiment" and experiment.baseline in by_rev:
            by_rev[experiment.baseline].append((key, experiment))
            continue
        children: list[_Keyed] = []
        groups.append(((key, experiment), children))
        if experiment.kind == "commit":
            by_rev[experiment.rev] = children
    return groups
