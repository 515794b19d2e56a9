"""The help text, made from the table of commands and the bindings of the focused widget."""

from collections.abc import Iterable

from textual.binding import Binding
from textual.content import Content

from tui.commands import COMMANDS, shown_key
from tui.screens.base import WorkerScreen


def help_text(screen: WorkerScreen[object]) -> Content:
    """Every key that works on the screen now; those that do not are dim."""
    lines = [Content.styled("This screen", "bold")]
    for command in COMMANDS[screen.scope]:
        style = "" if screen.check_action(command.action, ()) else "dim"
        lines.append(_line(_keys(command.keys), command.help, style))
    lines += [Content(), Content.styled("Everywhere", "bold")]
    lines += [_line(_keys(command.keys), command.help) for command in COMMANDS["app"]]
    focused = screen.focused
    moves = [] if focused is None else list(_moves(type(focused).BINDINGS))
    if moves:
        lines += [Content(), Content.styled("Moving", "bold"), *moves]
    return Content("\n").join(lines)


def _moves(declared: Iterable[object]) -> Iterable[Content]:
    for binding in declared:
        if isinstance(binding, Binding) and binding.description:
            yield _line(_keys(binding.key), binding.description)


def _keys(keys: str) -> str:
    return " ".join(dict.fromkeys(shown_key(key) for key in keys.split(",") if key))


def _line(keys: str, text: str, style: str = "") -> Content:
    return Content.assemble((f"{keys:<9} ", style or "bold $text-accent"), (text, style))
