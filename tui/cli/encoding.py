"""Output where the terminal, or the locale, cannot take every character."""

import codecs
import sys

_NAME = "finetui"
_ALIKE = {"▲": "^", "▼": "v", "…": "...", "±": "+-", "█": "#"} | dict.fromkeys("▏▎▍▌▋▊▉", ":")


def take_every_character() -> None:
    """From now on standard output shows what it cannot encode as something like it, or else by its number."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        codecs.register_error(_NAME, _alike)
        reconfigure(errors=_NAME)


def _alike(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeEncodeError) and error.object[error.start] in _ALIKE:
        return _ALIKE[error.object[error.start]], error.start + 1
    return codecs.backslashreplace_errors(error)
