"""Durations and ages as a person says them."""

from datetime import datetime


def duration(seconds: float) -> str:
    """A length of time with at most two units.

    >>> duration(8.4), duration(75), duration(3700)
    ('8 s', '1 min 15 s', '1 h 1 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 and whole % 60 else f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def age(then: datetime, now: datetime) -> str:
    """How long ago something was, in its largest unit; a date when it is months ago.

    >>> from datetime import timedelta, UTC
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> age(noon, noon + timedelta(hours=2)), age(noon, noon)
    ('2 h ago', 'now')
    """
    seconds = (now - then).total_seconds()
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86400:
        return f"{seconds // 3600:.0f} h ago"
    if seconds < 60 * 86400:
        return f"{seconds // 86400:.0f} d ago"
    return then.strftime("%Y-%m-%d")
