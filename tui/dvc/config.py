"""DVC's configuration of a project, and the one that a clone of it needs to share its cache and remotes."""

import configparser
import os
from io import StringIO
from pathlib import Path

from tui.core.errors import UserError

_LINKS = "reflink,hardlink,copy"


def cache_directory(root: Path) -> Path:
    """Where the project keeps its cached data, whatever configuration file says so."""
    for path in _config_files(root):
        value = _read(path).get("cache", "dir", fallback=None)
        if value:
            return Path(os.path.normpath(path.parent / Path(value).expanduser()))
    return root / ".dvc" / "cache"


def clone_config(root: Path) -> str:
    """Text of config.local for a clone: the user's own, with paths that are right from anywhere."""
    merged = _read(root / ".dvc" / "config.local")
    shared = _read(root / ".dvc" / "config")
    _absolute_remotes(merged, shared, root / ".dvc")
    _set(merged, "cache", "dir", str(cache_directory(root)))
    if not any(_read(path).has_option("cache", "type") for path in _config_files(root)):
        _set(merged, "cache", "type", _LINKS)
    _set(merged, "core", "check_update", "false")
    _set(merged, "core", "analytics", "false")
    text = StringIO()
    merged.write(text)
    return text.getvalue()


def _config_files(root: Path) -> list[Path]:
    """From the strongest to the weakest."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser())
    personal = Path(os.environ.get("DVC_GLOBAL_CONFIG_DIR") or home / "dvc")
    system = Path(os.environ.get("DVC_SYSTEM_CONFIG_DIR") or "/etc/xdg/dvc")
    local = root / ".dvc"
    return [local / "config.local", local / "config", personal / "config", system / "config"]


def _read(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, PermissionError):
        return parser
    except (configparser.Error, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError("DVC's configuration does not parse", f"{path}: {reason}", "correct the file") from error
    return parser


def _absolute_remotes(merged: configparser.RawConfigParser, shared: configparser.RawConfigParser, base: Path) -> None:
    for source in (shared, merged):
        for section in source.sections():
            url = source.get(section, "url", fallback=None)
            is_remote = section.strip("'").startswith("remote ")
            is_overridden = source is shared and merged.has_option(section, "url")
            if is_remote and not is_overridden and url and "://" not in url and not Path(url).is_absolute():
                _set(merged, section, "url", os.path.normpath(base / url))


def _set(parser: configparser.RawConfigParser, section: str, option: str, value: str) -> None:
    if not parser.has_section(section):
        parser.add_section(section)
    parser.set(section, option, value)
