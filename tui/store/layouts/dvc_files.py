"""What dvc.lock and .dvc files say: the hashes of deps and outs."""

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tui.store.git.files import Files
from tui.store.layouts.layout import Layout, StageFiles
from tui.store.parsing.documents import BadDocumentError, Documents
from tui.store.parsing.full_yaml import load_yaml, yaml_errors

_LOCK_LINE = re.compile(
    r"^  (?P<stage>[A-Za-z0-9_@./-]+):$|^(?P<odd>(?:  )?[^ \n].*)$|^    (?P<section>[a-z]+):$"
    r"|^    - path:(?: |\n {8})(?P<path>[A-Za-z0-9_./ -]*[A-Za-z0-9_./-])\n"
    r"(?:      hash: md5\n)?      md5: (?P<md5>[0-9a-f]{32}(?:\.dir)?)$",
    re.MULTILINE,
)
_SCHEMA = "2.0"
_PLAIN = "schema: '2.0'\nstages:\n"
_OF_A_FILE = {"path", "hash", "md5", "size", "isexec"}
_CHANGING = {
    "md5", "etag", "checksum", "size", "nfiles", "version_id", "isexec", "files", "cloud", "last_modified", "rev_lock",
}  # fmt: skip

Outs = dict[str, str]
"""Path of an output in the DVC cache -> its md5."""
Entry = str | Mapping[str, Any]
"""The md5 of a file, or all that is said of it."""


@dataclass(slots=True)
class Locked:
    """Hashes that a stage has left in dvc.lock, by the path as the stage says it."""

    deps: dict[str, "Entry"] = field(default_factory=dict)
    outs: dict[str, "Entry"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DvcFile:
    """What a .dvc file says."""

    structure: str
    """All of it but the hashes and sizes."""
    locked: Locked


@dataclass(slots=True)
class Hashes:
    """Hashes of a revision, by path in the project."""

    deps: dict[str, str | None] = field(default_factory=dict)
    outs: dict[str, str | None] = field(default_factory=dict)
    """Outputs that are neither metrics nor plots."""
    cached: Outs = field(default_factory=dict)
    """All outputs in the DVC cache whose md5 is known."""
    data_sources: list[str] = field(default_factory=list)
    """Outputs of .dvc files."""
    problems: list[str] = field(default_factory=list)


def read_hashes(files: Files, layout: Layout, documents: Documents) -> Hashes:
    """Hashes of all stages and .dvc files; those of a file that is broken are unknown."""
    hashes = Hashes()
    opened: dict[str, Mapping[str | None, Locked]] = {}
    for stage in layout.stages:
        file = lock_path(stage)
        if file not in opened:
            opened[file] = _open(files, file, documents, hashes.problems)
        _add(hashes, stage, opened[file].get(stage.name))
    return hashes


def lock_path(stage: StageFiles) -> str:
    """The file with the hashes of a stage."""
    return stage.file if stage.name is None else posixpath.join(posixpath.dirname(stage.file), "dvc.lock")


def _open(files: Files, path: str, documents: Documents, problems: list[str]) -> Mapping[str | None, Locked]:
    if files.identity(path) is None:
        return {}
    try:
        if path.endswith(".dvc"):
            return {None: documents.cached(files, path, parse_dvc_file).locked}
        found: Mapping[str | None, Locked] = documents.cached(files, path, parse_lock)
    except BadDocumentError as error:
        problems.append(f"{path}: {error}")
        return {}
    return found


_NOTHING = Locked()


def _add(hashes: Hashes, stage: StageFiles, locked: Locked | None) -> None:
    known = locked or _NOTHING
    for name, path, hash_name in stage.deps:
        hashes.deps[path] = _hash(known.deps.get(name), hash_name)
    if stage.name is None:
        hashes.data_sources += [out.path for out in stage.outs]
    for out in stage.outs:
        found = _hash(known.outs.get(out.name), out.hash_name)
        if out.is_listed:
            hashes.outs[out.path] = found
        if out.cached and found is not None:
            hashes.cached[out.path] = found
        elif out.cached:
            hashes.cached.pop(out.path, None)  # of two stages with the same output the last one counts


def _hash(entry: Entry | None, hash_name: str) -> str | None:
    """The hash of a dependency or output: its md5, or what its storage has instead."""
    if entry is None or isinstance(entry, str):
        return entry if hash_name == "md5" else None
    if entry.get("files"):
        return _folder_hash(entry["files"], hash_name)
    found = entry.get(hash_name)
    if found is None and entry.get("nfiles"):
        found = entry.get("md5")
    return None if found is None else str(found)


def _folder_hash(files: Any, hash_name: str) -> str | None:
    """The md5 that DVC gives to a folder whose files are listed one by one."""
    try:
        listed = sorted(({hash_name: file[hash_name], "relpath": file["relpath"]} for file in files), key=_relpath)
    except (TypeError, KeyError):
        return None
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _relpath(file: Mapping[str, Any]) -> str:
    return str(file["relpath"])


def parse_lock(_path: str, data: bytes) -> dict[str, Locked]:
    """Stage -> hashes of its deps and outs."""
    text = data.decode(errors="replace")
    return (_parse_plain_lock(text) if text.startswith(_PLAIN) else None) or _parse_lock_as_yaml(data)


def _parse_plain_lock(text: str) -> dict[str, Locked] | None:
    """The same of a file as DVC writes it; None if there is more to it than can be seen line by line."""
    stages: dict[str, Locked] = {}
    locked, section, found = Locked(), "", 0
    for stage, odd, name, path, md5 in _LOCK_LINE.findall(text, len(_PLAIN)):
        if odd or stage in stages:
            return None
        if stage:
            locked = stages[stage] = Locked()
            section = ""
        elif name:
            section = name
        else:
            found += 1
            if section == "outs":
                locked.outs[path] = md5
            elif section == "deps":
                locked.deps[path] = md5
    return stages if found == text.count("- path:") else None


def _parse_lock_as_yaml(data: bytes) -> dict[str, Locked]:
    try:
        document = load_yaml(data)
        if document["schema"] != _SCHEMA:
            raise BadDocumentError(f"is no dvc.lock of schema {_SCHEMA}")
        return {str(name): _locked(entry) for name, entry in (document.get("stages") or {}).items()}
    except (yaml_errors(), AttributeError, TypeError, KeyError, ValueError, RecursionError) as error:
        raise BadDocumentError("does not parse as a dvc.lock") from error


def parse_dvc_file(_path: str, data: bytes) -> DvcFile:
    """A .dvc file."""
    try:
        document = load_yaml(data) or {}
        structure = json.dumps(_without_hashes(document), sort_keys=True, default=str)
        return DvcFile(structure, _locked(document))
    except (yaml_errors(), AttributeError, TypeError, KeyError, ValueError, RecursionError) as error:
        raise BadDocumentError("does not parse as a .dvc file") from error


def _without_hashes(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _without_hashes(item) for name, item in value.items() if name not in _CHANGING}
    return [_without_hashes(item) for item in value] if isinstance(value, list) else value


def _locked(entry: Mapping[str, Any]) -> Locked:
    deps, outs = ({str(item["path"]): _flat(item) for item in entry.get(side) or ()} for side in ("deps", "outs"))
    return Locked(deps, outs)


def _flat(item: Mapping[str, Any]) -> Entry:
    """An entry with what it says of cloud storage."""
    for found in (item.get("cloud") or {}).values():
        return {**item, **found}
    if item.keys() <= _OF_A_FILE and "md5" in item:
        return str(item["md5"])
    return item
