"""Messages that cross from screens to the app."""

from textual.message import Message


class WorkerCrashed(Message):
    """A worker met an error that nobody expected."""

    def __init__(self, error: BaseException, is_poll: bool) -> None:
        super().__init__()
        self.error = error
        """What was raised."""
        self.is_poll = is_poll
        """Whether it comes back every second until its cause is gone."""


class ActiveRuns(Message):
    """How many runs are going on has changed."""

    def __init__(self, num_running: int, num_queued: int) -> None:
        super().__init__()
        self.num_running = num_running
        self.num_queued = num_queued
