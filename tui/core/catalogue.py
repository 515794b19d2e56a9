"""All rows of the home screen with what is worked out of them: keys, columns; only what is new is looked at."""

import gc
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tui.core.column_index import KeyIndex
from tui.core.columns import Column, columns_of
from tui.core.experiments import Experiment
from tui.core.filters import keep_words
from tui.core.keys import Key
from tui.core.rows import Keyed, Tree, keyed

_MANY_ROWS = 1_000
_ACTIVE = {"running", "queued"}


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Experiments, ready to be shown in any order; the same value as long as none of them changes."""

    experiments: Sequence[Experiment] = ()
    pairs: Sequence[Keyed] = ()
    """Each with a key of its own."""
    columns: Sequence[Column] = ()

    @cached_property
    def by_key(self) -> dict[str, Experiment]:
        """Experiments by the key of their row."""
        return dict(self.pairs)

    @cached_property
    def by_text(self) -> dict[str, Column]:
        """Columns by their full name."""
        return {column.text: column for column in self.columns}

    @cached_property
    def keys(self) -> list[Key]:
        """Params and metrics that a filter can name."""
        return [column.key for column in self.columns if column.key is not None]

    @cached_property
    def tree(self) -> Tree:
        """The rows, ready to be arranged."""
        return Tree(self.pairs)

    @cached_property
    def active(self) -> Sequence[Experiment]:
        """Experiments that run, or wait to."""
        return [row for row in self.experiments if row.kind == "experiment" and row.status in _ACTIVE]

    @cached_property
    def num_pending(self) -> int:
        """Rows whose values are still being read."""
        return sum(row.is_pending for row in self.experiments)


class Cataloguer:
    """Makes catalogues, one after the other; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._index = KeyIndex()
        self._last = Catalogue()
        self._columns: list[Column] = []
        self._num_settled = 0

    def update(self, experiments: Sequence[Experiment]) -> Catalogue:
        """The catalogue of these rows; the one of before if they are the same."""
        with self._lock:
            if experiments != self._last.experiments:
                if self._index.update(experiments):
                    self._columns = columns_of(self._index)
                self._last = Catalogue(experiments, keyed(experiments), self._columns)
                keep_words(experiments, self._index.gone)
                self._settle()
            return self._last

    def _settle(self) -> None:
        """Take what came off the garbage collector's hands: rows stay, and searching ten thousand of them for
        garbage makes a key wait for a quarter of a second, again and again."""
        num_rows = len(self._last.experiments)
        if num_rows >= self._num_settled + _MANY_ROWS and not self._last.num_pending:
            self._num_settled = num_rows
            gc.freeze()
