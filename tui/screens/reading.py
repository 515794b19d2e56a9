"""A screen whose worker reads one value, which is shown unless it came too late; a problem is told in a note."""

from typing import Any, Generic, TypeVar

from textual import on, work
from textual.message import Message

from tui.core.errors import UserError
from tui.screens.base import PollingScreen
from tui.screens.note import Problem
from tui.widgets.keybar import KeyBar

Value = TypeVar("Value")


class Read(Message):
    """What the screen shows was read."""

    def __init__(self, request: int, value: Any) -> None:
        super().__init__()
        self.request, self.value = request, value


class ReadFailed(Message):
    """It could not be read."""

    def __init__(self, request: int, error: UserError) -> None:
        super().__init__()
        self.request, self.error = request, error


class ReadingScreen(PollingScreen[None], Generic[Value]):
    """Says what to read and how to show it; needs a `Problem` and a `KeyBar` among its widgets."""

    def read(self) -> Value:
        """Read it, in a thread: no widget is touched."""
        raise NotImplementedError

    def show(self, value: Value) -> None:
        """Show what was read, and tell the problem that is left, or that there is none."""
        raise NotImplementedError

    @work(thread=True, exclusive=True, group="poll", exit_on_error=False)
    def load(self, request: int) -> None:
        """Answer a request."""
        try:
            value = self.read()
        except UserError as error:
            self.post_message(ReadFailed(request, error))
        else:
            self.post_message(Read(request, value))

    @on(Read)
    def _was_read(self, message: Read) -> None:
        if self.accepts(message.request):
            self.show(message.value)
            self.refresh_bindings()
            self.query_one(KeyBar).renew()

    @on(ReadFailed)
    def _was_not_read(self, message: ReadFailed) -> None:
        if self.accepts(message.request):
            self.tell_problem(str(message.error))

    def tell_problem(self, text: str) -> None:
        """Tell what is wrong; nothing takes it back."""
        self.query_one(Problem).tell(text)

    def action_back(self) -> None:
        """Leave the screen."""
        self.dismiss()
