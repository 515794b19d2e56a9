"""Which entries of the dvc.lock files differ between two revisions, and in which part."""

import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tui.core.changes import Part, StageChange, status_of
from tui.core.experiments import flatten
from tui.core.keys import MISSING, same
from tui.store.git.files import Files
from tui.store.parsing.documents import BadDocumentError, parse

Entries = dict[str, Mapping[str, Any]]
"""Stage as DVC addresses it -> its entry."""
# What says where or how large content is, and not which content it is.
_NOT_CONTENT = frozenset({"path", "hash", "size", "nfiles", "isexec"})


def changed_stages(old: Files, new: Files) -> list[StageChange]:
    """Stages whose entry differs, in the order of the new dvc.lock files, then those that are gone."""
    before, after = locked_stages(old), locked_stages(new)
    found = []
    for stage in {**after, **before}:
        one, two = before.get(stage), after.get(stage)
        parts = tuple(_parts(one, two)) if one is not None and two is not None else ()
        if parts or one is None or two is None:
            found.append(StageChange(stage, status_of(one is not None, two is not None), parts))
    return found


def locked_stages(files: Files) -> Entries:
    """Entries of all dvc.lock files of a revision; one that cannot be read has none."""
    entries: Entries = {}
    for pipeline in files.pipelines():
        folder = posixpath.dirname(pipeline)
        path = posixpath.join(folder, "dvc.lock")
        if files.identity(path) is None:
            continue
        try:
            document = parse(path, files.read(path))
        except (BadDocumentError, KeyError, OSError):
            continue
        for stage, entry in _stages(document).items():
            if isinstance(entry, Mapping):
                entries[f"{pipeline}:{stage}" if folder else str(stage)] = entry
    return entries


def _stages(document: Any) -> Mapping[Any, Any]:
    """DVC 1 wrote the stages without a heading."""
    stages = document.get("stages", document) if isinstance(document, Mapping) else None
    return stages if isinstance(stages, Mapping) else {}


def _parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[Part, tuple[str, ...]]]:
    if old.get("cmd") != new.get("cmd"):
        yield "cmd", ()
    readers: dict[Part, Callable[[Any], dict[str, Any]]] = {"deps": _contents, "params": _params, "outs": _contents}
    for part, read in readers.items():
        names = _differing(read(old.get(part)), read(new.get(part)))
        if names:
            yield part, names


def _differing(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in {**old, **new} if not same(old.get(name, MISSING), new.get(name, MISSING)))


def _contents(section: Any) -> dict[str, Any]:
    """Path -> what identifies its content."""
    items = section if isinstance(section, list) else []
    return {
        str(item.get("path")): {name: value for name, value in item.items() if name not in _NOT_CONTENT}
        for item in items
        if isinstance(item, Mapping)
    }


def _params(section: Any) -> dict[str, Any]:
    """Param -> value, over all files; of params.yaml the name alone, as everywhere."""
    found: dict[str, Any] = {}
    for path, values in section.items() if isinstance(section, Mapping) else ():
        for key, value in values.items() if isinstance(values, Mapping) else ():
            for name, leaf in flatten(value, str(key)):
                found[name if path == "params.yaml" else f"{path}:{name}"] = leaf
    return found
