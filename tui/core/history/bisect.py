"""The search for the first bad commit of a line: which one to test next, and what is known so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Mark = Literal["good", "bad", "skip"]
"""`skip` is a commit that cannot be tested."""


@dataclass(frozen=True, slots=True)
class Search:
    """Where the search stands; places count from the oldest commit."""

    good: int
    """Newest commit that is known to be good."""
    bad: int
    """Oldest one after it that is known to be bad."""
    untested: tuple[int, ...]
    """Between the two: commits of which nothing is known yet."""

    @property
    def first_bad(self) -> int | None:
        """The commit that broke it; None while several may have."""
        return self.bad if self.bad == self.good + 1 else None

    @property
    def candidates(self) -> range:
        """Commits that may have broken it."""
        return range(self.good + 1, self.bad + 1)

    @property
    def next(self) -> int | None:
        """The commit to test next, as near to the middle as can be; None when there is none left."""
        middle = (self.good + self.bad) // 2
        return min(self.untested, key=lambda place: (abs(place - middle), place), default=None)

    @property
    def max_tests(self) -> int:
        """Tests that are left at most, if none of them fails."""
        return min(len(self.untested), (self.bad - self.good - 1).bit_length())


def search(marks: Sequence[Mark | None]) -> Search:
    """The state of the search on a line that begins good and ends bad.

    Where it went bad several times, the last time counts: that is what makes it bad now.
    """
    if len(marks) < 2 or marks[0] != "good" or marks[-1] != "bad":
        raise ValueError("a search needs a good first and a bad last commit")
    good = max(place for place, mark in enumerate(marks) if mark == "good")
    bad = min(place for place, mark in enumerate(marks) if mark == "bad" and place > good)
    return Search(good, bad, tuple(place for place in range(good + 1, bad) if marks[place] is None))


def earlier_breaks(marks: Sequence[Mark | None]) -> list[int]:
    """Bad commits that have a good one after them: the condition did not break just once."""
    good = max((place for place, mark in enumerate(marks) if mark == "good"), default=-1)
    return [place for place, mark in enumerate(marks) if mark == "bad" and place < good]
