"""What DVC's log says of the stages; read piece by piece while it grows."""

import re
from pathlib import Path
from typing import Literal

Happening = Literal["running", "skipped", "restored"]
Event = tuple[str, Happening]
_PATTERNS: tuple[tuple[re.Pattern[bytes], Happening], ...] = (
    (re.compile(rb"^Running stage '([^'\n]+)':"), "running"),
    (re.compile(rb"^Stage '([^'\n]+)' didn't change, skipping"), "skipped"),
    (re.compile(rb"^Stage '([^'\n]+)' is cached - skipping run"), "restored"),
)
_CHATTER = ("Running stage", "> ", "Updating lock file", "Generating lock file", "Stage '", "Verifying ", "Importing ")
"""How lines of DVC itself begin."""
_CHUNK_BYTES = 1 << 20
_TAIL_BYTES = 1 << 16


class LogScanner:
    """Finds the lines of `dvc repro` that name a stage (DVC 3.67)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""

    def new_events(self) -> list[Event]:
        """Events of the complete lines that were added since the last call."""
        events: list[Event] = []
        try:
            with self._path.open("rb") as log:
                log.seek(self._offset)
                while chunk := log.read(_CHUNK_BYTES):
                    self._offset += len(chunk)
                    events.extend(self._scan(chunk))
        except FileNotFoundError:
            return []
        return events

    def _scan(self, chunk: bytes) -> list[Event]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[-_TAIL_BYTES:]
        found: list[Event] = []
        for line in lines:
            for pattern, state in _PATTERNS:
                if match := pattern.match(line):
                    found.append((match[1].decode("utf-8", "replace"), state))
        return found


def last_error(path: Path) -> str | None:
    """The last `ERROR:` line of the log, after what was said last before it: a stage's own last words."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    return _last_words([line.strip() for line in lines if line.strip()])


def _last_words(lines: list[str]) -> str | None:
    place = next((index for index in reversed(range(len(lines))) if lines[index].startswith("ERROR:")), None)
    if place is None:
        return None
    error = lines[place].removeprefix("ERROR:").strip()
    said = lines[place - 1] if place else ""
    is_from_stage = said and not said.startswith(_CHATTER)
    return f"{said} ({error})" if is_from_stage else error
