"""Asks the process that runs queries, and ends it when a query takes too long or is no longer wanted."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tui.core.errors import UserError
from tui.core.ports import QueryResult
from tui.core.queries import TooLargeError
from tui.store.sql.wire import Request, decode_answer, encode_request

_POLL_S = 0.02
_HOME = str(Path(__file__).parents[3])
_START = "import sys; sys.path.append(sys.argv.pop(1)); from tui.store.sql.process import main; main()"
"""Also where we are not installed; a `tui` in the user's folder must not come before ours."""


class QueryClient:
    """One process, started by the first query; it keeps the tables for the next ones."""

    def __init__(self, root: Path, num_commits: int) -> None:
        self._command = [sys.executable, "-P", "-c", _START, _HOME, str(root), str(num_commits)]
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], object] = _nothing
        self._turn = threading.Lock()

    def run(self, request: Request, cancelled: threading.Event | None = None) -> QueryResult:
        """The rows; UserError when it takes too long, is cancelled, or ends the process."""
        cancelled = cancelled if cancelled is not None else threading.Event()
        end = time.monotonic() + request.timeout_s
        while not self._turn.acquire(timeout=_POLL_S):
            _check(cancelled, end, request)
        try:
            return self._answer(request, cancelled, end)
        finally:
            self._turn.release()

    def _answer(self, request: Request, cancelled: threading.Event, end: float) -> QueryResult:
        """Memory that earlier queries left in pieces is no reason to refuse one: it may try in a new process."""
        was_fresh = self._process is None
        try:
            return decode_answer(self._ask(request, cancelled, end))
        except TooLargeError:
            self.close()
            if was_fresh:
                raise
        return self._answer(request, cancelled, end)

    def close(self) -> None:
        """End the process; the next query starts another one."""
        self._process = None
        self._end()

    def _ask(self, request: Request, cancelled: threading.Event, end: float) -> bytes:
        try:
            answers = self._send(encode_request(request))
            return self._receive(answers, request, cancelled, end)
        except BaseException:
            self.close()  # what it does now is of no use to anybody
            if cancelled.is_set():
                self._get_ready()
            raise

    def _get_ready(self) -> None:
        """Have a process for the next query, which comes as soon as a person has changed the one that was given up."""
        with suppress(OSError):  # the next query will say so
            self._running()

    def _send(self, line: bytes) -> BinaryIO:
        """Hand the request over; a process that has ended meanwhile is replaced."""
        for _ in range(2):
            process = self._running()
            try:
                process.stdin.write(line)  # type: ignore[union-attr]  # a pipe
                process.stdin.flush()  # type: ignore[union-attr]
                return process.stdout  # type: ignore[return-value]
            except BrokenPipeError:
                self.close()
        raise UserError("the query engine does not start", f"{sys.executable} ends at once")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt from the keyboard is for us; and it may have children
            )
            self._end = weakref.finalize(self, _kill, self._process)  # at the latest when we end
        return self._process

    def _receive(self, answers: BinaryIO, request: Request, cancelled: threading.Event, end: float) -> bytes:
        parts: list[bytes] = []
        while not parts or not parts[-1].endswith(b"\n"):
            _check(cancelled, end, request)
            ready, _, _ = select.select([answers], [], [], _POLL_S)
            if ready:
                part = os.read(answers.fileno(), 1 << 20)
                if not part:
                    raise self._ended()
                parts.append(part)
        return b"".join(parts)

    def _ended(self) -> UserError:
        code = self._process.wait() if self._process is not None else 0
        if code in {-signal.SIGABRT, -signal.SIGKILL}:
            return TooLargeError()
        return UserError("the query ended its engine", f"exit status {code}", "write it in another way")


def _check(cancelled: threading.Event, end: float, request: Request) -> None:
    if cancelled.is_set():
        raise UserError("the query was cancelled")
    if time.monotonic() >= end:
        raise UserError(f"the query took longer than {request.timeout_s:g} s", hint="narrow it, or allow more time")


def _nothing() -> None:
    """There is no process yet."""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
