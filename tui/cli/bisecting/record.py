"""A bisection on disk: what is searched, what has been tested, which run goes on; it survives a kill at any moment."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.contract.files import write_json, write_text
from tui.core.errors import UserError
from tui.core.history.bisect import Mark

_FOLDER = Path(".dvc", "tmp", "finetui")
_VERSION = 1
How = Literal["stored", "experiment", "run", "user"]
"""Where a verdict comes from: metrics in the commit, an experiment that was there, a run of ours, or a word."""


@dataclass(frozen=True, slots=True)
class Tested:
    """What is known of one commit."""

    mark: Mark
    how: How
    value: float | None = None
    source: str | None = None
    """SHA with the metrics."""
    reason: str = ""
    """Why it cannot be tested."""


@dataclass(frozen=True, slots=True)
class Going:
    """A run that was started and whose end was not seen yet."""

    commit: str
    since: str
    """Moment before the launch, ISO 8601."""
    run: str | None = None
    """Its id; None between the moment before the launch and the one after it."""


@dataclass(slots=True)
class BisectionRecord:
    """What one bisection looks for, and what it has found out."""

    good: str
    """SHA, as all of them."""
    bad: str
    condition: str
    overrides: dict[str, Any] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)
    trusts: bool = False
    """Whether metrics in a commit count whatever its dvc.lock says."""
    tested: dict[str, Tested] = field(default_factory=dict)
    """In the order in which they were."""
    outdated: list[str] = field(default_factory=list)
    """SHAs of commits and experiments whose metrics turned out to belong to other code, params or data."""
    going: Going | None = None

    def asks_same(self, other: "BisectionRecord") -> bool:
        """Whether both look for the same."""
        return self._question() == other._question()

    def _question(self) -> tuple[Any, ...]:
        return self.good, self.bad, self.condition, self.overrides, self.targets, self.trusts


class BisectionFile:
    """Where the one bisection of a project is kept."""

    def __init__(self, root: Path) -> None:
        self._folder = root / _FOLDER
        self._place = self._folder / "bisect.json"

    def read(self) -> BisectionRecord | None:
        """The bisection; None if there is none. UserError if the file is broken."""
        try:
            value = json.loads(self._place.read_bytes())
            if value.pop("version") != _VERSION:
                raise ValueError("it is of another version of finetui")
            going = value.pop("going")
            tested = {rev: Tested(**one) for rev, one in value.pop("tested").items()}
            return BisectionRecord(**value, tested=tested, going=Going(**going) if going else None)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            detail = f"{self._place}: {error}"
            raise UserError("the bisection cannot be read", detail, "finetui bisect reset forgets it") from error

    def write(self, record: BisectionRecord) -> None:
        """Keep it, complete or not at all."""
        self._prepare()
        write_json(self._place, {"version": _VERSION, **asdict(record)})

    def remove(self) -> bool:
        """Forget it; whether there was one."""
        is_there = self._place.exists()
        self._place.unlink(missing_ok=True)
        return is_there

    @contextmanager
    def held(self) -> Iterator[None]:
        """Only one process works on it; the kernel lets go of it when the process dies."""
        self._prepare()
        descriptor = os.open(self._folder / "bisect.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise UserError("another finetui works on this bisection", hint="finetui bisect status shows it") from error
        finally:
            os.close(descriptor)

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._folder / ".gitignore").exists():
            write_text(self._folder / ".gitignore", "*\n")
