"""What decides a layout: revisions with the same key have the same one, and DVC is asked once."""

import hashlib
import json
import re
import sys
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from tui.store.git.files import CONFIG, PIPELINE, Files, FolderFiles
from tui.store.layouts.dvc_files import parse_dvc_file
from tui.store.layouts.layout import PARAMS
from tui.store.layouts.variables import EXPRESSION, Variables, normal, scan_variables
from tui.store.parsing.documents import BadDocumentError, Documents, parse_document

VERSION = 3
"""Raised when layouts are made or stored in another way, or what they lead to is read in another way."""
_OUTSIDE = re.compile(rb"://|[\s\"'\[{:]/[A-Za-z]|\.\./")
_ABSENT = "absent"
_MAX_KNOWN = 5_000


class LayoutKeys:
    """Makes keys of revisions; what they share is worked out once. Any thread may ask: nothing here is looped over."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._known: dict[Hashable, tuple[str, tuple[Variables, ...]]] = {}
        self._structures: dict[Hashable, str] = {}

    def of(self, files: Files) -> str:
        """The key: a hash of all that decides the layout."""
        names = files.dvc_files()
        known = self._known.get(names)
        if known is None:
            digest = _digest([VERSION, dvc_version(), *self._fixed(files, sorted(names))])
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[names] = digest, tuple(self._scan_all(files))
        variables = [[self._of_place(files, place, scan) for place in scan.places] for scan in known[1]]
        where = isinstance(files, FolderFiles) and self._is_outside(files, names)
        return _digest([known[0], files.identity(PARAMS) is not None, variables, where])

    def _is_outside(self, files: Files, names: tuple[tuple[str, Hashable], ...]) -> bool:
        """Whether there are paths out of the project, which DVC shows otherwise in the workspace."""
        for path in (path for path, _ in names if path.endswith((PIPELINE, ".dvc"))):
            try:
                if _OUTSIDE.search(self._documents.cached(files, path, bytes_of)):
                    return True
            except BadDocumentError:
                continue
        return False

    def _fixed(self, files: Files, names: Iterable[tuple[str, Hashable]]) -> Iterator[list[Any]]:
        for path, identity in names:
            if path.endswith(".dvc"):
                try:
                    yield [path, self._documents.cached(files, path, parse_dvc_file).structure]
                except BadDocumentError:
                    yield [path, str(identity)]
            elif path != CONFIG or self._is_said(files):
                yield [path, str(identity)]

    def _is_said(self, files: Files) -> bool:
        """Whether there is anything in .dvc/config; an empty one is as good as none."""
        try:
            return bool(self._documents.cached(files, CONFIG, bytes_of).strip())
        except BadDocumentError:
            return True

    def _scan_all(self, files: Files) -> Iterator[Variables]:
        for path in sorted(files.pipelines()):
            try:
                yield scan_variables(path, self._documents.load(files, path))
            except BadDocumentError:
                continue

    def _of_place(self, files: Files, place: str, scan: Variables) -> Any:
        if "${" in place:  # a stage whose folder is a variable has variables of its own there
            place = EXPRESSION.sub(lambda match: self._look_up(files, normal(match[1]), scan), place)
        identity = files.identity(place)
        if identity is None:
            return _ABSENT
        if scan.is_beyond:
            return str(identity)
        try:
            loaded = self._documents.cached(files, place, parse_document)
        except BadDocumentError:
            return str(identity)
        document = loaded.plain
        if not isinstance(document, Mapping):
            return _kind(document)
        found: dict[str, Any] = {name: _pick(document, name) for name in scan.selecting}
        found |= {f"{name}?": _kind(_pick(document, name)) for name in scan.other}
        found |= {f"{name}!": name in document for name in scan.names}
        found["#"] = [] if loaded.value is document else sorted(set(_odd_types(loaded.value)))
        if scan.num_sources > 1:  # DVC refuses what two of them define
            found["*"] = self._structure(identity, document)
        return found

    def _look_up(self, files: Files, name: str, scan: Variables) -> str:
        for place in scan.places:
            if "${" not in place and files.identity(place) is not None:
                with suppress(BadDocumentError):
                    found = _pick(self._documents.load(files, place), name)
                    if found != _ABSENT:
                        return str(found)
        return next((str(found) for found in (_pick(one, name) for one in scan.inline) if found != _ABSENT), _ABSENT)

    def _structure(self, identity: Hashable, document: Any) -> str:
        known = self._structures.get(identity)
        if known is None:
            if len(self._structures) >= _MAX_KNOWN:
                self._structures.clear()
            known = self._structures[identity] = _digest(_kind(document))
        return known


def _pick(document: Any, name: str) -> Any:
    """The value at a dotted name, or `_ABSENT`."""
    found = document
    for part in name.split("."):
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return _ABSENT
    return found


def _kind(value: Any) -> Any:
    """What a value is, whatever it is: of a mapping the names and kinds of all in it."""
    if isinstance(value, Mapping):
        return {str(name): _kind(item) for name, item in value.items()}
    return "list" if isinstance(value, list) else "value" if value is not _ABSENT else _ABSENT


def _odd_types(value: Any) -> Iterator[str]:
    """Types that DVC's variables cannot have, such as dates."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _odd_types(item)
    elif isinstance(value, list):
        for item in value:
            yield from _odd_types(item)
    elif value is not None and not isinstance(value, str | int | float):
        yield type(value).__name__


def bytes_of(_path: str, data: bytes) -> bytes:
    """The content itself."""
    return data


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def reading_version() -> str:
    """What an upgrade changes that decides where values are, besides the files of a revision."""
    return f"{VERSION}/{dvc_version()}"


@lru_cache(maxsize=1)
def dvc_version() -> str:
    """Version of DVC that would be asked; found by the name of its folder, as the library for that takes 10 ms."""
    for folder in sys.path:
        for place in Path(folder).glob("dvc-[0-9]*.dist-info"):
            return place.name.removeprefix("dvc-").removesuffix(".dist-info")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("dvc")
    except PackageNotFoundError:
        return "none"
