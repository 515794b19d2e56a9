"""The local DVC cache: content by its md5, and the md5 of every output by dvc.lock."""

import configparser
import posixpath
import re
from pathlib import Path
from typing import Any

import orjson

from pipeline.contract.yaml12 import load_yaml
from tui.store.documents import BadDocumentError, Documents
from tui.store.files import Files
from tui.store.layout import Layout

_MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?")
_LOCK_LINE = re.compile(
    r"^  (?P<stage>[A-Za-z0-9_@.-]+):$|^    (?P<section>[a-z]+):$"
    r"|^    - path: (?P<path>[A-Za-z0-9_./ -]*[A-Za-z0-9_./-])\n"
    r"(?:      hash: md5\n)?      md5: (?P<md5>[0-9a-f]{32}(?:\.dir)?)$",
    re.MULTILINE,
)

Outs = dict[str, str]
"""Path of an output -> its md5."""


class DvcCache:
    """What is available without the network."""

    def __init__(self, root: Path, documents: Documents) -> None:
        self._dvc_dir, self._documents = root / ".dvc", documents
        self._directory: Path | None = None
        self._listings: dict[str, dict[str, str]] = {}

    @property
    def directory(self) -> Path:
        """Folder of the cache, as .dvc/config or .dvc/config.local set it."""
        if self._directory is None:
            self._directory = _configured(self._dvc_dir) or self._dvc_dir / "cache"
        return self._directory

    def outs(self, files: Files, layout: Layout) -> Outs:
        """md5 of all outputs that the dvc.lock files of a revision know; a broken dvc.lock knows none."""
        outs: Outs = {}
        for folder, stages in layout.folders.items():
            path = posixpath.join(folder, "dvc.lock")
            if files.identity(path) is None:
                continue
            try:
                locked = self._documents.cached(files, path, parse_lock)
            except BadDocumentError:
                continue
            for stage, wdir in stages.items():
                outs.update({posixpath.normpath(posixpath.join(wdir, out)): md5 for out, md5 in locked.get(stage, ())})
        return outs

    def find(self, path: str, outs: Outs) -> Path | None:
        """File with the content of an output, or of a file in an output that is a folder; None if it is not here."""
        for candidate in self.wanted(path, outs):
            if candidate.is_file():
                return candidate
        return None

    def wanted(self, path: str, outs: Outs) -> list[Path]:
        """Where the content of an output would be."""
        if path in outs:
            return self._places(outs[path])
        for parent in _parents(path):
            md5 = outs.get(parent, "")
            if md5.endswith(".dir"):
                inside = self.listing(md5).get(path.removeprefix(parent + "/"))
                return self._places(inside) if inside else self._places(md5)
        return []

    def listing(self, md5: str) -> dict[str, str]:
        """Files of an output that is a folder, with their md5; empty if the listing is not here."""
        known = self._listings.get(md5)
        if known is None:
            known = self._read_listing(md5)
            if known:
                self._listings[md5] = known
        return known

    def _read_listing(self, md5: str) -> dict[str, str]:
        for place in self._places(md5):
            try:
                items = orjson.loads(place.read_bytes())
                return {str(item["relpath"]): str(item["md5"]) for item in items}
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return {}

    def _places(self, md5: str) -> list[Path]:
        if _MD5.fullmatch(md5) is None:
            return []
        # DVC 2 kept its cache one level higher, and wrote no `hash: md5`
        return [self.directory / "files" / "md5" / md5[:2] / md5[2:], self.directory / md5[:2] / md5[2:]]


def parse_lock(_path: str, data: bytes) -> dict[str, list[tuple[str, str]]]:
    """Stage -> (path, md5) of its outputs."""
    text = data.decode(errors="replace")
    stages: dict[str, list[tuple[str, str]]] = {}
    stage, section, found = "", "", 0
    for match in _LOCK_LINE.finditer(text):
        if match["stage"]:
            stage, section = match["stage"], ""
        elif match["section"]:
            section = match["section"]
        else:
            found += 1
            if section == "outs":
                stages.setdefault(stage, []).append((match["path"], match["md5"]))
    plain = text.startswith("schema: '2.0'\nstages:\n") and found == text.count("- path: ")
    return stages if plain else _parse_lock_as_yaml(data)


def _parse_lock_as_yaml(data: bytes) -> dict[str, list[tuple[str, str]]]:
    import yaml

    try:
        document: Any = load_yaml(data)
        stages = document.get("stages", document) or {}
        return {
            str(stage): [(str(out["path"]), str(out.get("md5", ""))) for out in entry.get("outs") or ()]
            for stage, entry in stages.items()
        }
    except (yaml.YAMLError, AttributeError, TypeError, KeyError) as error:
        raise BadDocumentError("does not parse as a dvc.lock") from error


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


def _configured(dvc_dir: Path) -> Path | None:
    chosen = None
    for name in ("config", "config.local"):
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        try:
            text = (dvc_dir / name).read_text(encoding="utf-8")
            parser.read_string(re.sub(r"(?m)^[ \t]+", "", text))
        except (OSError, ValueError, configparser.Error):
            continue
        chosen = parser.get("cache", "dir", fallback=chosen)
    return None if chosen is None else (dvc_dir / chosen).resolve()
