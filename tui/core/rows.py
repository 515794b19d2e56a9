"""Experiments arranged as rows: a tree of commits, or one sorted list."""

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from tui.core.experiments import Experiment

SortKey = Callable[[Experiment], Any]
Keyed = tuple[str, Experiment]
"""An experiment, and the key of its row."""


class Row(NamedTuple):
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


class Tree:
    """All rows below their commits, made once: what is shown of them is picked, for every filter, in their order."""

    def __init__(self, pairs: Sequence[Keyed], sort_key: SortKey | None = None) -> None:
        """Takes experiments with their keys."""
        self._pairs, self._sort_key = pairs, sort_key
        self._source: Tree | None = None

    def sorted(self, sort_key: SortKey | None) -> "Tree":
        """The same rows in another order; each of the two forms is put in order when it is asked for."""
        if sort_key is None:
            return self
        other = Tree(self._pairs, sort_key)
        other._source = self
        return other

    @cached_property
    def _groups(self) -> list[tuple[Keyed, list[Row]]]:
        groups = _groups(self._pairs) if self._source is None else self._source._groups
        return [(parent, _sorted(children, self._sort_key)) for parent, children in groups]

    @cached_property
    def _flat(self) -> list[Row]:
        return _sorted([Row(*pair) for pair in self._pairs], self._sort_key)

    def arrange(
        self, kept: Collection[str] | None = None, *, is_flat: bool = False, folded: Collection[str] = ()
    ) -> list[Row]:
        """Rows as they are shown; a commit stays as long as one of its experiments matches.

        `kept` are the keys of those that match, None is all. What is folded is hidden, except where only matches are
        asked for.
        """
        if is_flat:
            return _matching(self._flat, kept)
        rows: list[Row] = []
        for parent, children in self._groups:
            shown = _matching(children, kept)
            if kept is not None and parent[0] not in kept and not shown:
                continue
            is_folded = kept is None and parent[0] in folded and bool(shown)
            rows.append(Row(*parent, 0, len(shown), is_folded))
            rows += [] if is_folded else shown
        return rows


def arrange(
    experiments: Sequence[Experiment],
    matches: Callable[[Experiment], bool] | None = None,
    sort_key: SortKey | None = None,
    *,
    is_flat: bool = False,
    folded: Collection[str] = (),
) -> list[Row]:
    """Rows of experiments that are shown only once."""
    pairs = keyed(experiments)
    kept = None if matches is None else {key for key, experiment in pairs if matches(experiment)}
    return Tree(pairs).sorted(sort_key).arrange(kept, is_flat=is_flat, folded=folded)


def _matching(rows: list[Row], kept: Collection[str] | None) -> list[Row]:
    return rows if kept is None else [row for row in rows if row.key in kept]


def _sorted(rows: list[Row], sort_key: SortKey | None) -> list[Row]:
    return rows if sort_key is None else sorted(rows, key=lambda row: sort_key(row.experiment))


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


def _groups(pairs: Sequence[Keyed]) -> list[tuple[Keyed, list[Row]]]:
    """Commits with their experiments; an experiment whose commit is not listed stands alone."""
    groups: list[tuple[Keyed, list[Row]]] = []
    by_rev: dict[str, list[Row]] = {}
    for key, experiment in pairs:
        if experiment.kind == "experiment" and experiment.baseline in by_rev:
            by_rev[experiment.baseline].append(Row(key, experiment, 1))
            continue
        children: list[Row] = []
        groups.append(((key, experiment), children))
        if experiment.kind == "commit":
            by_rev[experiment.rev] = children
    return groups
