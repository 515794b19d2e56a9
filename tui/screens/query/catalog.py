"""The side list: tables and their columns."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.core.queries import SqlColumn


class Catalog(OptionList):
    """Enter puts a name into the query."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("enter", "select", "Put the name into the query", show=False),
    ]
    DEFAULT_CSS = """
    Catalog { width: 30; height: 1fr; padding: 0 1; background: transparent; scrollbar-size-vertical: 1; }
    """

    class Chosen(Message):
        """A name to put into the query."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Described(Message):
        """What the name under the cursor means."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, tables: Mapping[str, Sequence[SqlColumn]], *, id: str, classes: str) -> None:
        self._names: list[tuple[str, str]] = []
        options: list[Option] = []
        for table, columns in tables.items():
            options.append(Option(Content.styled(table, "bold")))
            self._names.append((table, f"{table}: {len(columns)} columns"))
            for column in columns:
                options.append(Option(Content.assemble(f"  {column.name} ", (column.type.lower(), "dim"))))
                self._names.append((column.name, f"{table}.{column.name}: {column.description}"))
        super().__init__(*options, id=id, classes=classes)
        self.border_title = "tables"

    @on(OptionList.OptionSelected)
    def _select(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.post_message(self.Chosen(self._names[message.option_index][0]))

    @on(OptionList.OptionHighlighted)
    def _highlight(self, message: OptionList.OptionHighlighted) -> None:
        message.stop()
        self.post_message(self.Described(self._names[message.option_index][1]))
