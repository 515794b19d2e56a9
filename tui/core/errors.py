"""Errors that a user can act on."""


class UserError(Exception):
    """An expected failure: what, where, and what to do about it."""

    def __init__(self, title: str, detail: str = "", hint: str = "") -> None:
        self.title = title
        """What went wrong, in one line."""
        self.detail = detail
        """Where, or more about it; may have several lines."""
        self.hint = hint
        """What to do."""
        super().__init__(title)

    def __str__(self) -> str:
        return ": ".join(part for part in (self.title, self.detail) if part) + (f"; {self.hint}" if self.hint else "")


class UsageError(UserError):
    """The command or its input was wrong: exit code 2 on the command line."""
