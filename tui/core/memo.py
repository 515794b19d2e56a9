"""Values worked out once per object, and forgotten when nobody asks for them any more."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
_MAX_YOUNG = 100_000


class Memo(Generic[Result]):
    """A function of objects that never change; an answer that is not asked for again is dropped in time."""

    def __init__(self, work: Callable[[Any], Result]) -> None:
        self._work = work
        # the object is kept with the answer, so that no other one can get its id
        self._young: dict[int, tuple[Any, Result]] = {}
        self._old: dict[int, tuple[Any, Result]] = {}

    def __call__(self, subject: Any) -> Result:
        known = self._young.get(id(subject))
        if known is None or known[0] is not subject:
            known = self._old.get(id(subject))
            if known is None or known[0] is not subject:
                known = subject, self._work(subject)
            if len(self._young) >= _MAX_YOUNG:
                self._old, self._young = self._young, {}
            self._young[id(subject)] = known
        return known[1]

    def forget(self, subject: Any) -> None:
        """Drop the answer for an object that is gone: a running experiment is another one every second."""
        for answers in (self._young, self._old):
            known = answers.get(id(subject))
            if known is not None and known[0] is subject:
                answers.pop(id(subject), None)
