"""Which params and metrics there are, and which of them differ, kept up to date while rows come and go."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tui.core.experiments import Experiment
from tui.core.keys import MISSING, Key, Side, flat, same
from tui.core.methods import effects_of

_UNKNOWN = -1
"""In place of a row that is gone: another one that still has the value is not known."""


@dataclass(slots=True)
class _State:
    """What is known of one name in one file."""

    count: int = 0
    """Rows that have it."""
    value: Any = MISSING
    """Value of the first row in which it has an effect."""
    first: int = _UNKNOWN
    other: int | None = None
    """A row with another value; None while all have the same."""


class _SideIndex:
    """The params, or the metrics, of all rows."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._states: dict[str, dict[str, _State]] = {}
        self._doubtful: set[tuple[str, str]] = set()
        self.is_changed = False
        """Whether a name came, went, began or ceased to differ."""

    def _files(self, row: Experiment) -> Mapping[str, Any]:
        return row.params if self._side == "param" else row.metrics

    def add(self, number: int, row: Experiment) -> None:
        """Count a row in."""
        effects = effects_of(row.params) if self._side == "param" else None
        selective = effects if effects is not None and effects.method is not None else None
        for path, document in self._files(row).items():
            leaves = flat(document)
            states = self._states.setdefault(path, {}) if leaves else {}
            for name, value in leaves.items():
                state = states.get(name)
                if state is None:
                    state = states[name] = _State()
                    self.is_changed = True
                state.count += 1
                if state.other is None and (selective is None or selective.applies(name)):
                    self._compare(state, number, value, (path, name))

    def _compare(self, state: _State, number: int, value: Any, place: tuple[str, str]) -> None:
        if state.value is MISSING:
            state.value, state.first = value, number
        elif value is not state.value and not same(value, state.value):
            if state.first == _UNKNOWN:
                self._doubtful.add(place)
            else:
                state.other, self.is_changed = number, True

    def remove(self, number: int, row: Experiment) -> None:
        """Count a row out."""
        for path, document in self._files(row).items():
            for name in flat(document):
                states = self._states[path]
                state = states[name]
                state.count -= 1
                if not state.count:
                    del states[name]
                    self.is_changed = True
                    if not states:
                        del self._states[path]
                elif number == state.other or (number == state.first and state.other is not None):
                    self._doubtful.add((path, name))
                elif number == state.first:
                    state.first = _UNKNOWN

    def settle(self, rows: Iterable[tuple[int, Experiment]]) -> None:
        """Look again where a row that made the difference has gone."""
        doubtful, self._doubtful = self._doubtful, set()
        for path, name in doubtful:
            state = self._states.get(path, {}).get(name)
            if state is not None:
                before = state.other is None
                state.value, state.first, state.other = self._search(path, name, rows)
                self.is_changed |= before != (state.other is None)

    def _search(self, path: str, name: str, rows: Iterable[tuple[int, Experiment]]) -> tuple[Any, int, int | None]:
        known: Any = MISSING
        first = _UNKNOWN
        for number, row in rows:
            files = self._files(row)
            value = flat(files[path]).get(name, MISSING) if path in files else MISSING
            if value is MISSING or (self._side == "param" and not effects_of(row.params).applies(name)):
                continue
            if known is MISSING:
                known, first = value, number
            elif value is not known and not same(value, known):
                return known, first, number
        return known, first, None

    def known_keys(self) -> Iterator[tuple[Key, bool]]:
        """All keys, with their file where several have one of that name, and whether their values differ."""
        owners: dict[str, list[str]] = {}
        for path, states in self._states.items():
            for name in states:
                owners.setdefault(name, []).append(path)
        for name, paths in owners.items():
            for path in paths:
                key = Key(self._side, name, path if len(paths) > 1 else None)
                yield key, self._states[path][name].other is not None


class KeyIndex:
    """Looks only at rows that are new; two rows of the same documents are looked at once."""

    def __init__(self) -> None:
        self._tokens: dict[int, tuple[Experiment, tuple[Any, ...]]] = {}
        self._numbers: dict[tuple[Any, ...], list[Any]] = {}
        """Token of the documents of a row -> its number, how many rows have them, one of those."""
        self._next = 0
        self._methods: Counter[str] = Counter()
        self.gone: Sequence[Experiment] = ()
        """Rows that the last update has counted out."""
        self.params, self.metrics = _SideIndex("param"), _SideIndex("metric")

    @property
    def methods(self) -> set[str]:
        """Methods of all rows."""
        return set(self._methods)

    def update(self, experiments: Sequence[Experiment]) -> bool:
        """Take these rows for those of before; whether the keys, or what differs, are others now."""
        methods = self.methods
        current = {id(row): row for row in experiments}
        gone = [self._tokens.pop(key) for key in self._tokens.keys() - current.keys()]
        for key in [key for key in current if key not in self._tokens]:
            token = _token(current[key])
            self._tokens[key] = current[key], token
            self._add(token, current[key])
        for row, token in gone:
            self._remove(token, row)
            effects_of.forget(row.params)
        self.gone = [row for row, _ in gone]
        rows = [(number, row) for number, _, row in self._numbers.values()]
        for side in (self.params, self.metrics):
            side.settle(rows)
        is_changed = self.params.is_changed or self.metrics.is_changed or methods != self.methods
        self.params.is_changed = self.metrics.is_changed = False
        return is_changed

    def _add(self, token: tuple[Any, ...], row: Experiment) -> None:
        known = self._numbers.get(token)
        if known is not None:
            known[1] += 1
            return
        self._numbers[token] = [self._next, 1, row]
        self.params.add(self._next, row)
        self.metrics.add(self._next, row)
        self._next += 1
        method = effects_of(row.params).method
        if method is not None:
            self._methods[method] += 1

    def _remove(self, token: tuple[Any, ...], row: Experiment) -> None:
        known = self._numbers[token]
        known[1] -= 1
        if known[1]:
            return
        del self._numbers[token]
        self.params.remove(known[0], row)
        self.metrics.remove(known[0], row)
        method = effects_of(row.params).method
        if method is not None:
            self._methods[method] -= 1
            self._methods += Counter()  # those that are left
        for document in (*row.params.values(), *row.metrics.values()):
            flat.forget(document)


def _token(row: Experiment) -> tuple[Any, ...]:
    """What two rows share if they have the very same documents."""
    sides = (row.params, row.metrics)
    return tuple((path, id(document)) for side in sides for path, document in side.items()), len(row.params)
