"""Parts that are made when they are first asked for, once, whichever thread asks."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Part = TypeVar("Part")


class BuiltOnce(Generic[Part]):
    """Like `cached_property`, with the lock that this has no longer since Python 3.12."""

    def __init__(self, build: Callable[[Any], Part]) -> None:
        self._build, self._name, self._lock = build, build.__name__, threading.RLock()

    def __get__(self, owner: Any, kind: type | None = None) -> Part:
        """The part; from then on it is an attribute of its owner, and this is not asked again."""
        with self._lock:
            parts = vars(owner)
            if self._name not in parts:
                parts[self._name] = self._build(owner)
            found: Part = parts[self._name]
            return found
