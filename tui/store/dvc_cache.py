"""The local DVC cache: content by its md5."""

import configparser
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import orjson

from tui.store.git.files import Files
from tui.store.layouts.dvc_files import Outs, read_hashes
from tui.store.layouts.layout import Layout
from tui.store.parsing.documents import Documents

_MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?")
_START = re.compile(r"^[ \t]*(\[[^\n]*)?", re.MULTILINE)


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
        """md5 of all outputs of a revision that are in the cache; a broken dvc.lock knows none."""
        return read_hashes(files, layout, self._documents).cached

    def find(self, path: str, outs: Outs) -> Path | None:
        """File with the content of an output, or of a file in an output that is a folder; None if it is not here."""
        md5 = self._wanted(path, outs)
        if md5 is None or md5.endswith(".dir"):
            return None
        return next((place for place in self._places(md5) if place.is_file()), None)

    def awaited(self, path: str, outs: Outs) -> list[str]:
        """md5 of what would have to come into the cache for an output to be here."""
        md5 = self._wanted(path, outs)
        return [] if md5 is None or self.has(md5) else [md5]

    def _wanted(self, path: str, outs: Outs) -> str | None:
        """md5 of an output or of a file in one; of the listing of a folder as long as that is not here."""
        if path in outs:
            return outs[path]
        for parent in _parents(path):
            md5 = outs.get(parent, "")
            if md5.endswith(".dir"):
                listing = self.listing(md5)
                return listing.get(path.removeprefix(parent + "/")) if listing else md5
        return None

    def has(self, md5: str) -> bool:
        """Whether an object is here."""
        return any(place.is_file() for place in self._places(md5))

    def below(self, path: str, outs: Outs) -> list[str]:
        """Files of outputs in a folder, as far as the listings of the outputs are here."""
        found = []
        for out, md5 in outs.items():
            inside = out.startswith(f"{path}/")
            if md5.endswith(".dir") and (inside or path == out or path.startswith(f"{out}/")):
                names = (f"{out}/{name}" for name in self.listing(md5))
                found += [name for name in names if name.startswith(f"{path}/")]
            elif inside:
                found.append(out)
        return found

    def unlisted(self, path: str, outs: Outs) -> list[str]:
        """Outputs in a folder that are folders themselves, and whose listings are not here."""
        below = (out for out, md5 in outs.items() if md5.endswith(".dir") and out.startswith(f"{path}/"))
        return [out for out in below if not self.listing(outs[out])]

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


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


def _configured(dvc_dir: Path) -> Path | None:
    """The folder that the configuration names; as DVC 3.67 does, a remote that `cache.local` names goes first."""
    parsers = [(file.parent, _parsed(file)) for file in _config_files(dvc_dir)]
    remote = _said(parsers, "cache", "local")
    if remote is None:
        return _place(_said(parsers, "cache", "dir"))
    return _place(_said(parsers, f'remote "{remote[1].lower()}"', "url"))


def _parsed(file: Path) -> configparser.RawConfigParser:
    """What a file of the configuration says; a broken one says nothing."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, inline_comment_prefixes=("#",))
    with suppress(OSError, ValueError, configparser.Error):
        parser.read_string(_START.sub(_header, file.read_text(encoding="utf-8")))
        return parser
    return configparser.RawConfigParser()


def _header(match: re.Match[str]) -> str:
    """The start of a line: no space, and names of sections without quotes around them and in small letters."""
    return (match[1] or "").lower().replace("'", "")


def _said(
    parsers: Iterable[tuple[Path, configparser.RawConfigParser]], section: str, option: str
) -> tuple[Path, str] | None:
    """An option and the folder that it is relative to; what is closer to the project goes before what is for all."""
    for folder, parser in parsers:
        chosen = (parser.get(section, option, fallback="") or "").strip("\"' ")
        if chosen:
            return folder, chosen
    return None


def _place(said: tuple[Path, str] | None) -> Path | None:
    if said is None or "://" in said[1]:
        return None  # DVC's own folder, which it uses by default
    return (said[0] / Path(said[1]).expanduser()).resolve()


def _config_files(dvc_dir: Path) -> list[Path]:
    personal = os.environ.get("DVC_GLOBAL_CONFIG_DIR") or Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config", "dvc")
    system = os.environ.get("DVC_SYSTEM_CONFIG_DIR") or "/etc/xdg/dvc"
    shared = [Path(folder).expanduser() / "config" for folder in (personal, system)]
    return [dvc_dir / "config.local", dvc_dir / "config", *shared]
