"""Files that .dvcignore files hide from DVC when it looks into folders."""

import posixpath
from collections.abc import Iterator
from typing import Any

from tui.store.git.files import Files
from tui.store.parsing.documents import BadDocumentError, Documents

NAME = ".dvcignore"


class Ignored:
    """The patterns of a revision; those of a folder go before those of the folders above."""

    def __init__(self, files: Files, documents: Documents) -> None:
        self._specs = dict(_specs(files, documents))

    def has(self, path: str) -> bool:
        """Whether a file, or a folder that it is in, is ignored."""
        if not self._specs:
            return False
        parts = path.split("/")
        above = ("/".join(parts[:count]) + "/" for count in range(1, len(parts)))
        return any(self._matches(step) for step in (*above, path))

    def _matches(self, path: str) -> bool:
        """What the last pattern says that matches the path itself; folders end with a slash."""
        found = False
        for folder, spec in self._specs.items():
            if path.startswith(folder):
                said = spec.check_file(path.removeprefix(folder)).include
                found = found if said is None else said
        return found


def _specs(files: Files, documents: Documents) -> Iterator[tuple[str, Any]]:
    names = [path for path, _ in files.dvc_files() if posixpath.basename(path) == NAME]
    for path in sorted(names, key=lambda name: name.count("/")):
        try:
            yield path.removesuffix(NAME), documents.cached(files, path, parse_ignore)
        except BadDocumentError:
            continue


def parse_ignore(_path: str, data: bytes) -> Any:
    """The patterns of a .dvcignore file."""
    from pathspec import GitIgnoreSpec

    lines = (line.strip() for line in data.decode(errors="replace").splitlines())
    return GitIgnoreSpec.from_lines(line for line in lines if line and not line.startswith("#"))
