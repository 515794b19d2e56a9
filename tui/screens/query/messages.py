"""What the workers of the Query screen end in."""

from collections.abc import Mapping, Sequence

from textual.message import Message

from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.ports import QueryResult
from tui.core.queries import SavedQuery


class Answered(Message):
    """Rows of a query."""

    def __init__(self, request: int, result: QueryResult, elapsed_s: float) -> None:
        super().__init__()
        self.request, self.result, self.elapsed_s = request, result, elapsed_s


class Failed(Message):
    """A query gave none."""

    def __init__(self, request: int, error: UserError) -> None:
        super().__init__()
        self.request, self.error = request, error


class Found(Message):
    """The experiment of a row, or why there is none."""

    def __init__(self, request: int, experiment: Experiment | UserError) -> None:
        super().__init__()
        self.request, self.experiment = request, experiment


class Offered(Message):
    """What there is to choose from for every parameter of a saved query, or why nobody knows."""

    def __init__(self, request: int, query: SavedQuery, choices: Mapping[str, Sequence[str]] | UserError) -> None:
        super().__init__()
        self.request, self.query, self.choices = request, query, choices
