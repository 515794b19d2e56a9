"""The values that fill an intent's slots: file names, folders, counts, hosts."""

from collections.abc import Callable
from importlib.resources import files
from random import Random

WORDS = tuple(files(__package__).joinpath("words.txt").read_text("utf-8").split())
"""Names that people give to files, folders and processes."""
LANGUAGES = {
    "py": "python", "md": "markdown", "js": "javascript", "rs": "rust", "sh": "shell", "txt": "text", "log": "log",
    "csv": "csv", "json": "json", "yaml": "yaml", "html": "html", "c": "c", "go": "go", "sql": "sql", "xml": "xml",
}  # fmt: skip
_ROOTS = ("/var/log", "/etc", "/srv", "/opt", "/home", "/mnt", "/data", "~", "src", "docs")
_COUNTS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 100)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_PATTERNS = ("ERROR", "WARN", "TODO", "FIXME", "DEBUG", "timeout", "refused", "import", "return", "null", "panic")
_PORTS = (22, 80, 443, 3000, 5432, 6379, 8000, 8080, 9000)
_MODES = ("600", "640", "644", "664", "700", "750", "755", "444")
_USERS = ("ada", "bruno", "carla", "dmitri", "elena", "farid", "greta", "hiro", "ines", "jonas", "kira", "luis")
_GROUPS = ("staff", "dev", "ops", "web", "admin")


def _word(rng: Random) -> str:
    return rng.choice(WORDS)


def _extension(rng: Random) -> str:
    return rng.choice(tuple(LANGUAGES))


def _file(rng: Random) -> str:
    stem = _word(rng)
    if rng.random() < 0.25:
        stem += rng.choice("_-") + _word(rng)
    return f"{stem}.{_extension(rng)}"


def _folder(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.2:
        return rng.choice(_ROOTS)
    if kind < 0.55:
        return _word(rng)
    return f"{rng.choice(_ROOTS)}/{_word(rng)}"


def _branch(rng: Random) -> str:
    return rng.choice(("feature/", "fix/", "")) + _word(rng)


def _pattern(rng: Random) -> str:
    return rng.choice(_PATTERNS) if rng.random() < 0.5 else _word(rng)


def _host(rng: Random) -> str:
    return f"{_word(rng)}.example.com"


SLOTS: dict[str, Callable[[Random], str]] = {
    "archive": lambda rng: f"{_word(rng)}.tar.gz",
    "branch": _branch,
    "count": lambda rng: str(rng.choice(_COUNTS)),
    "digit": lambda rng: str(rng.randint(1, 9)),
    "ext": _extension,
    "file": _file,
    "folder": _folder,
    "group": lambda rng: rng.choice(_GROUPS),
    "host": _host,
    "mode": lambda rng: rng.choice(_MODES),
    "pattern": _pattern,
    "port": lambda rng: str(rng.choice(_PORTS)),
    "size": lambda rng: f"{rng.choice(_SIZES)}{rng.choice('kMG')}",
    "url": lambda rng: f"https://{_host(rng)}/{_word(rng)}.{rng.choice(('zip', 'json', 'csv', 'html'))}",
    "user": lambda rng: rng.choice(_USERS),
    "version": lambda rng: f"v{rng.randint(0, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}",
    "word": _word,
    "zipfile": lambda rng: f"{_word(rng)}.zip",
}
"""How to draw a value for each slot."""
