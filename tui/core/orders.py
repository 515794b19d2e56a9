"""The rows of a table of experiments: which ones a filter lets through, and in which order they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tui.core.catalogue import Catalogue
from tui.core.columns import sort_key
from tui.core.experiments import Experiment
from tui.core.filters import parse_filter
from tui.core.rows import Row, SortKey

_NUM_KEPT = 8
"""Answers of each kind: a letter is taken back, an order is turned around and around again."""


@dataclass(frozen=True, slots=True)
class Order:
    """How rows are put in order."""

    column: str | None = None
    """`name`, `when`, or the text of a column; None keeps the order of the history."""
    is_turned: bool = False
    """Whether the worst come first."""

    def descends(self, catalogue: Catalogue) -> bool | None:
        """Whether the largest come first; None where the rows keep the order of the history."""
        if self.column in {"name", "when"}:
            return self.is_turned != (self.column == "when")
        column = catalogue.by_text.get(self.column or "")
        return None if column is None else (column.direction == "higher") != self.is_turned

    def key(self, catalogue: Catalogue) -> SortKey | None:
        """What to sort by."""
        descends = self.descends(catalogue)
        if descends is None:
            return None
        if self.column == "name":
            return _backwards if descends else lambda one: one.label
        if self.column == "when":
            return _newest if descends else _oldest
        return sort_key(catalogue.by_text[self.column or ""], descends)


def _backwards(one: Experiment) -> list[int]:
    return [-ord(char) for char in one.label]


def _newest(one: Experiment) -> tuple[bool, float]:
    return one.timestamp is None, -one.timestamp.timestamp() if one.timestamp else 0.0


def _oldest(one: Experiment) -> tuple[bool, float]:
    return one.timestamp is None, one.timestamp.timestamp() if one.timestamp else 0.0


@dataclass(frozen=True, slots=True)
class Matching:
    """What a filter lets through."""

    keys: frozenset[str] | None
    """Of the rows; None without a filter."""
    problem: str = ""
    """What of the filter was not understood."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Rows in the order in which they are shown."""

    rows: Sequence[Row]
    places: Mapping[str, int]
    """Where the row with a key is."""


class Arranger:
    """Arranges the rows of one catalogue; what was asked for lately is at hand."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.matching = lru_cache(_NUM_KEPT)(self._matching)
        """What a filter lets through."""
        self.arranged = lru_cache(_NUM_KEPT)(self._arranged)
        """Rows for a filter, an order, whether they are one list, and the keys of what is folded."""
        self._sorted = lru_cache(_NUM_KEPT)(lambda order: catalogue.tree.sorted(order.key(catalogue)))

    def _matching(self, text: str) -> Matching:
        if not text.strip():
            return Matching(None)
        found = parse_filter(text, keys=self.catalogue.keys)
        return Matching(frozenset(key for key, row in self.catalogue.pairs if found.matches(row)), found.error)

    def _arranged(self, text: str, order: Order, is_flat: bool, folded: tuple[str, ...]) -> Arrangement:
        kept = self.matching(text).keys
        rows = self._sorted(order).arrange(kept, is_flat=is_flat, folded=frozenset(folded))
        return Arrangement(rows, {row.key: place for place, row in enumerate(rows)})
