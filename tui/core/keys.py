"""Names of params and metrics across many experiments: one name means the same value in every row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

from tui.core.experiments import Experiment, flatten
from tui.core.memo import Memo

Side = Literal["param", "metric"]


class Missing(Enum):
    """Marks a value that is not there, which is neither zero nor null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


@dataclass(frozen=True, slots=True)
class Key:
    """One param or metric."""

    side: Side
    name: str
    """Dotted key within its file."""
    path: str | None = None
    """File, where several files have a key of that name."""

    @property
    def text(self) -> str:
        """What users see and type: the name, with the file where that is needed."""
        return self.name if self.path is None else f"{self.path}:{self.name}"

    def value(self, experiment: Experiment) -> Any:
        """Its value in an experiment; MISSING if there is none."""
        files = experiment.params if self.side == "param" else experiment.metrics
        if self.path is not None:
            return flat(files[self.path]).get(self.name, MISSING) if self.path in files else MISSING
        for document in files.values():
            found = flat(document).get(self.name, MISSING)
            if found is not MISSING:
                return found
        return MISSING


def _flatten(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        return {key: value for key, value in flatten(document) if key}
    if all(type(key) is str and key and type(value) is not dict for key, value in document.items()):
        return document  # as metrics of finetui are: nothing to flatten, nothing to keep
    leaves: dict[str, Any] = {}
    _add_leaves(document, "", leaves)
    leaves.pop("", None)
    return leaves


def _add_leaves(document: dict[Any, Any], prefix: str, leaves: dict[str, Any]) -> None:
    """As `flatten` says, without its cost: there may be millions of leaves."""
    for key, value in document.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, dict) and value:
            _add_leaves(value, name, leaves)
        else:
            leaves[name] = value


flat: Memo[Mapping[str, Any]] = Memo(_flatten)
"""Leaves of a document by dotted key; a document must not change."""


def all_keys(experiments: Iterable[Experiment], side: Side) -> list[Key]:
    """Keys of all experiments, in the order in which they appear; with its file where two files share a name."""
    owners: dict[str, dict[str, None]] = {}
    seen: set[tuple[str, int]] = set()
    for experiment in experiments:
        files = experiment.params if side == "param" else experiment.metrics
        for path, document in files.items():
            if (path, id(document)) not in seen:
                seen.add((path, id(document)))
                for name in flat(document):
                    owners.setdefault(name, {})[path] = None
    return [
        Key(side, name, path if len(paths) > 1 else None)
        for name, paths in owners.items()
        for path in (paths if len(paths) > 1 else [None])
    ]


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to a person: 1 is 1.0, but true is not 1, and NaN is NaN."""
    if type(one) is type(other) and isinstance(one, str | int | float):
        return bool(one == other) or (one != one and other != other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Sequence) and isinstance(other, Sequence) and not isinstance(one, str):
        return not isinstance(other, str) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return bool(one == other) or (one != one and other != other)
