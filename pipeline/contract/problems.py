"""How wrong input is reported: every problem at once, each with file, key, value and what is allowed."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    file: str
    """Path of the file, as the user knows it."""
    key: str
    """Dotted key in that file; empty when the file as a whole is wrong."""
    value: Any
    """The offending value; None where there is none."""
    allowed: str
    """What would be right, and where it helps what to do."""

    def __str__(self) -> str:
        where = f"{self.file}: {self.key}" if self.key else self.file
        value = "" if self.value is None else f" is {self.value!r}"
        return f"{where}{value}: {self.allowed}"


class StageError(Exception):
    """An expected failure of a stage: its text is all that the user needs."""


class ParamsError(StageError):
    """params.yaml cannot be used; `problems` lists every reason."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))
