"""The footer: the most used keys of the screen, made from the table of commands."""

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from tui.commands import COMMANDS, Command, Scope, shown_key

_GAP = "  "
_ALWAYS = ("back", "help")
"""The way out, and the way to all others."""
_TYPED = frozenset({"enter", "space", "backspace"})
"""What a text takes besides single characters."""


class KeyBar(Widget):
    """As many keys as fit; each one can be clicked."""

    DEFAULT_CSS = """
    KeyBar {
        height: 1; dock: bottom; padding: 0 1; background: $panel; color: $text-muted; text-wrap: nowrap;
        link-style: none; link-color: $foreground; link-background-hover: $primary;
    }
    KeyBar:ansi { background: ansi_default; }
    """

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope: Scope = scope
        self._shown: Sequence[tuple[Command, str]] = ()

    def on_mount(self) -> None:
        """What has the focus may take keys for itself."""
        self.watch(self.screen, "focused", self.renew, init=False)

    def renew(self) -> None:
        """Other commands may make sense now."""
        if self.commands() != self._shown:
            self.refresh()

    def commands(self) -> Sequence[tuple[Command, str]]:
        """Commands for the footer that can be started now, with the key that does it."""
        known = (*COMMANDS[self._scope], *COMMANDS["app"][1:], COMMANDS["app"][0])
        screen, focused = self.screen, self.screen.focused
        shown = [command for command in known if command.footer and screen.check_action(command.action, ())]
        free = ((command, _free_key(command, focused)) for command in shown)
        return [(command, key) for command, key in free if key is not None]

    def render(self) -> Content:
        """The line of keys."""
        self._shown = self.commands()
        parts = {command.action: _part(command, key) for command, key in self._shown}
        room = self.size.width + len(_GAP) - sum(_width(parts[action]) for action in _ALWAYS if action in parts)
        shown: list[Content] = []
        for action, part in parts.items():
            room -= 0 if action in _ALWAYS else _width(part)
            if room >= 0 or action in _ALWAYS:
                shown.append(part)
        return Content(_GAP).join(shown)


def _width(part: Content) -> int:
    return len(part) + len(_GAP)


def _part(command: Command, key: str) -> Content:
    target = "app." if command in COMMANDS["app"] else "screen."
    content = Content.assemble((shown_key(key), "bold $text-accent"), " ", command.label)
    return content.stylize_before(f"@click={target}{command.action}")


def _free_key(command: Command, focused: Widget | None) -> str | None:
    """The first of its keys that is not taken as text by what has the focus."""
    keys = command.keys.split(",")
    if focused is None or not focused.check_consume_key("x", "x"):
        return keys[0]
    return next((key for key in keys if len(shown_key(key)) > 1 and key not in _TYPED), None)
