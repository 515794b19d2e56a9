"""What the TUI remembers of a project: sort, filter, marks, baseline, theme."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

STATE_FILE = Path(".dvc/tmp/finetui/state.json")


@dataclass(frozen=True, slots=True)
class ViewState:
    """Everything that is kept between two sessions."""

    theme: str = "textual-dark"
    """Name of a Textual theme."""
    sort: str | None = None
    """Key of the column that rows are sorted by; None keeps the order of the history."""
    is_turned: bool = False
    """Whether the order of the sort is turned around."""
    is_flat: bool = False
    """Whether all rows are sorted together, rather than below their commit."""
    filter: str = ""
    """Filter over the rows."""
    marks: tuple[str, ...] = ()
    """Keys of marked rows."""
    folded: tuple[str, ...] = ()
    """Keys of commits whose experiments are hidden."""
    baseline: str | None = None
    """Key of the pinned baseline; None compares an experiment with its commit."""
    main_metric: str | None = None
    """The metric to judge by; None chooses one."""
    only_differences: bool = True
    """Whether a comparison leaves out equal rows."""
    query: str = ""
    """SQL in the editor."""
    queries: tuple[str, ...] = ()
    """SQL that was run, the last one at the end."""


class Settings:
    """The view state of one project, kept in a file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.state = _read(path) if path is not None else ViewState()
        """What is remembered now."""
        self.problem: str | None = None
        """Why the state could not be written; None if it was."""

    def update(self, **changes: Any) -> None:
        """Remember changes; a disk that refuses them is a problem, not an error."""
        state = replace(self.state, **changes)
        if state == self.state:
            return
        self.state = state
        if self._path is not None:
            try:
                _write(self._path, state)
            except OSError as error:
                self.problem = f"cannot remember the view in {self._path.name}: {error.strerror}"


def project_settings(root: Path) -> Settings:
    """Settings of the project at `root`."""
    return Settings(root / STATE_FILE)


def _read(path: Path) -> ViewState:
    """What the file holds; anything damaged or of a wrong type counts as absent."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ViewState()
    if not isinstance(values, dict):
        return ViewState()
    hints = get_type_hints(ViewState)
    known = {field.name: values[field.name] for field in fields(ViewState) if field.name in values}
    return ViewState(**{name: _clean(value) for name, value in known.items() if _fits(value, hints[name])})


def _fits(value: Any, hint: Any) -> bool:
    if hint == tuple[str, ...]:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if hint is bool:
        return isinstance(value, bool)
    return isinstance(value, str) or (value is None and hint is not str)


def _clean(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _write(path: Path, state: ViewState) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(state), file, indent=1)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
