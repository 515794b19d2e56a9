"""What an experiment can be called: one rule for the form, the command line and the runner."""

MAX_NAME_BYTES = 100
NAME_RULES = f"letters, digits, - _ and . but no - or . first; at most {MAX_NAME_BYTES} bytes"
"""What an experiment can be called, in words."""


def name_problem(name: str) -> str:
    """Why an experiment cannot have this name; empty if it can. No name at all is fine: one is made up.

    >>> name_problem("my run"), name_problem("my-run_2.1")
    ("' ' is not allowed", '')
    """
    wrong = next((char for char in name if not (char.isalnum() or char in "-_.")), None)
    if wrong is not None:
        return f"{wrong!r} is not allowed"
    if name.startswith(("-", ".")):
        return f"must not start with {name[0]!r}"
    if ".." in name or name.endswith((".", ".lock")):
        return "must not contain '..' or end in '.' or '.lock': Git does not allow it"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"must not be longer than {MAX_NAME_BYTES} bytes"
    return ""
