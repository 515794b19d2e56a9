"""How workers of the home screen answer."""

from textual.message import Message

from tui.core.catalogue import Catalogue
from tui.core.errors import UserError
from tui.core.runs import Run
from tui.screens.experiments.sparks import SparkName


class Arrived(Message):
    """Experiments and runs."""

    def __init__(self, request: int, catalogue: Catalogue, runs: list[Run]) -> None:
        super().__init__()
        self.request, self.catalogue, self.runs = request, catalogue, runs


class Failed(Message):
    """They could not be read."""

    def __init__(self, request: int, error: UserError) -> None:
        super().__init__()
        self.request, self.error = request, error


class Curves(Message):
    """Loss curves of rows in view."""

    def __init__(self, curves: dict[SparkName, str]) -> None:
        super().__init__()
        self.curves = curves
