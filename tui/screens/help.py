"""The help text, made from the table of commands and the bindings of the focused widget."""

from collections.abc import Iterable

from textual.binding import Binding
from textual.content import Content

from tui.commands import COMMANDS, shown_key
from tui.screens.base import WorkerScreen

Line = tuple[str, str, str]
"""Keys, what they do, and a style."""


def help_text(screen: WorkerScreen[object]) -> Content:
    """Every key that works on the screen now; those that do not are dim."""
    own = [
        (_keys(command.keys), command.help, "" if screen.check_action(command.action, ()) else "dim")
        for command in COMMANDS[screen.scope]
    ]
    everywhere = [(_keys(command.keys), command.help, "") for command in COMMANDS["app"]]
    focused = screen.focused
    moves = [] if focused is None else list(_moves(type(focused).BINDINGS))
    width = max(len(keys) for keys, _, _ in (*own, *everywhere, *moves))
    blocks = [
        Content("\n").join([Content.styled(title, "bold"), *(_line(*line, width) for line in lines)])
        for title, lines in (("This screen", own), ("Everywhere", everywhere), ("Moving", moves))
        if lines
    ]
    return Content("\n\n").join(blocks)


def _moves(declared: Iterable[object]) -> Iterable[Line]:
    for binding in declared:
        if isinstance(binding, Binding) and binding.description:
            yield _keys(binding.key), binding.description, ""


def _keys(keys: str) -> str:
    return " ".join(dict.fromkeys(shown_key(key) for key in keys.split(",") if key))


def _line(keys: str, text: str, style: str, width: int) -> Content:
    return Content.assemble((f"{keys:<{width}}  ", style or "bold $text-accent"), (text, style))
