"""Answers that DVC was long waited for and that were none: kept, so that not every process waits for them again."""

import time
from contextlib import suppress
from datetime import UTC, datetime

import orjson

from tui.store.cache_file import CacheFile
from tui.store.layouts.resolver import Answer

SLOW_S = 5.0
"""An answer that was waited for so long is kept if it was none; what fails faster may as well be tried again."""
FIRST_WAIT_S, LONGEST_WAIT_S = 300.0, 86_400.0
"""After how long DVC is asked again: twice as long after each failure."""
_ENDING = ":failed"


class Failures:
    """Keeps failures by the key of the layout, which is another one with another version of DVC."""

    def __init__(self, cache: CacheFile, table: str) -> None:
        self._cache, self._table = cache, table

    def keep(self, key: str, answer: Answer) -> None:
        """Keep an answer if DVC took long over it and could not say."""
        if answer.took_s >= SLOW_S and not (answer.is_final and answer.layout is not None):
            before = self._load(key)
            wait_s = FIRST_WAIT_S if before is None else min(2 * before[2], LONGEST_WAIT_S)
            record = [answer.layout, answer.problem, wait_s, time.time()]
            self._cache.put(self._table, [(key + _ENDING, orjson.dumps(record))])

    def recent(self, key: str) -> Answer | None:
        """A failure after which DVC is not asked again yet; its problem says how old it is."""
        found = self._load(key)
        if found is None:
            return None
        layout, problem, wait_s, at = found
        if not 0 <= time.time() - at < wait_s:
            return None
        age = f"asked at {_minute(at)}, not again before {_minute(at + wait_s)}"
        return Answer(layout, f"{problem} ({age})".strip(), is_final=False)

    def _load(self, key: str) -> tuple[dict[str, object] | None, str, float, float] | None:
        stored = self._cache.get(self._table, [key + _ENDING]).get(key + _ENDING)
        with suppress(ValueError, TypeError):
            layout, problem, wait_s, at = orjson.loads(stored or b"")
            if isinstance(layout, dict | None):
                return layout, str(problem), float(wait_s), float(at)
        return None


def _minute(stamp: float) -> str:
    """A time in the zone of whoever reads it."""
    return datetime.fromtimestamp(stamp, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
