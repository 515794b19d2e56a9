"""Names of params and metrics across many experiments: one name means the same value in every row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

from tui.core.experiments import Experiment, flatten

Side = Literal["param", "metric"]
_MAX_KNOWN = 50_000
_known: dict[int, tuple[Any, Mapping[str, Any]]] = {}


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


def flat(document: Any) -> Mapping[str, Any]:
    """Leaves of a document by dotted key; worked out once per document, which must not change."""
    known = _known.get(id(document))
    if known is None or known[0] is not document:
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        # the document is kept with its leaves, so that no other one can get its id
        known = _known[id(document)] = (document, {key: value for key, value in flatten(document) if key})
    return known[1]


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


def varying(experiments: Iterable[Experiment], side: Side) -> set[tuple[str, str]]:
    """(file, name) of all keys that do not have the same value wherever they are there."""
    first: dict[str, dict[str, Any]] = {}
    found: set[tuple[str, str]] = set()
    for experiment in experiments:
        for path, document in (experiment.params if side == "param" else experiment.metrics).items():
            known = first.setdefault(path, {})
            for name, value in flat(document).items():
                other = known.setdefault(name, value)
                if other is not value and not same(value, other):
                    found.add((path, name))
    return found


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
