"""The footer: the most used keys of the screen, made from the table of commands."""

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from tui.commands import COMMANDS, Command, Scope


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

    def commands(self) -> Sequence[Command]:
        """Commands for the footer that can be started now."""
        known = (*COMMANDS[self._scope], *COMMANDS["app"])
        screen = self.screen
        return [command for command in known if command.footer and screen.check_action(command.action, ())]

    def render(self) -> Content:
        """The line of keys."""
        shown: list[Content] = []
        room = self.size.width
        last = _key(COMMANDS["app"][0])
        for command in self.commands():
            part = _key(command)
            if part.plain == last.plain:
                continue
            if room - len(part) - 2 < len(last):
                break
            shown.append(part)
            room -= len(part) + 2
        return Content("  ").join([*shown, last])


def _key(command: Command) -> Content:
    target = "app." if command in COMMANDS["app"] else "screen."
    content = Content.assemble((command.shown_key, "bold $text-accent"), " ", command.label)
    return content.stylize_before(f"@click={target}{command.action}")
