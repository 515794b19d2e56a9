"""How workers of the launch form answer."""

from collections.abc import Mapping
from typing import Any

from textual.message import Message

from tui.core.errors import UserError
from tui.core.runs import LaunchPlan, Run


class ParamsRead(Message):
    """Params of the workspace."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self.values = values


class Planned(Message):
    """What a request would run."""

    def __init__(self, request: int, plan: LaunchPlan) -> None:
        super().__init__()
        self.request, self.plan = request, plan


class Failed(Message):
    """Reading, planning or launching met an expected problem."""

    def __init__(self, request: int, error: UserError, what: str) -> None:
        super().__init__()
        self.request, self.error, self.what = request, error, what


class Launched(Message):
    """The run has started."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
