"""Asks DVC for layouts: one process for all questions that come at once, which ends soon after the last."""

import atexit
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

PROGRAM = Path(__file__).with_name("dvc_layout.py")
ANSWER_S = 30.0
"""How long one answer may take; a loaded machine needs seconds to import DVC."""
MAX_STUCK = 3
"""How many revisions in a row may end in nothing before no more are asked about for a while."""
IDLE_S = 10.0
_GONE_S = 1.0
RETRY_S = 30.0
"""How long a process that failed is not started again."""
_ENVIRONMENT = {"DVC_NO_ANALYTICS": "1", "GIT_TERMINAL_PROMPT": "0", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What DVC says of one revision."""

    layout: dict[str, Any] | None
    """None if DVC could not say."""
    problem: str = ""
    """Why it could not."""
    is_final: bool = True
    """Whether it would say the same again; not so if DVC itself failed, or lacks an object of Git or a plugin."""
    took_s: float = 0.0
    """How long it was waited for."""


class Resolver:
    """A conversation with the program `dvc_layout`; one at a time, from any thread."""

    def __init__(
        self,
        command: Sequence[str] = (sys.executable, "-P", str(PROGRAM)),
        answer_s: float = ANSWER_S,
        *,
        has_session: bool = True,
    ) -> None:
        """Without a session of its own the program ends with the process group of whoever asks."""
        self._command, self._answer_s, self._has_session = list(command), answer_s, has_session
        self._lock, self._starting, self._is_closed = threading.Lock(), threading.Lock(), False
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._timer: threading.Timer | None = None
        self._failed_at, self._num_stuck = float("-inf"), 0
        self._failure = Answer(None, is_final=False)
        atexit.register(self._kill)

    def ask(self, root: Path, revs: Sequence[str], receive: Callable[[str, Answer], None]) -> None:
        """Pass on the answers for all revisions (`workspace` is one) as they come, in any case one for each."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            left, began = dict.fromkeys(revs), time.monotonic()
            try:
                for rev, answer in self._converse(str(root), left):
                    del left[rev]
                    receive(rev, replace(answer, took_s=time.monotonic() - began))
                    began = time.monotonic()
            except OSError as error:
                self._fail(f"DVC could not be asked where params and metrics are: {error}", 0.0)
            self._close_later()
        for rev in left:
            receive(rev, self._failure)

    def _converse(self, root: str, left: dict[str, None]) -> Iterator[tuple[str, Answer]]:
        while left and time.monotonic() - self._failed_at >= RETRY_S:
            began = time.monotonic()
            reason = yield from self._converse_once(root, left)
            if left:
                # Answers come in the order of the questions: it failed at the first, which must not hide the others.
                self._stop()
                self._num_stuck += 1
                if self._num_stuck >= MAX_STUCK:
                    self._fail(reason, time.monotonic() - began)
                yield next(iter(left)), Answer(None, reason, is_final=False)

    def _converse_once(self, root: str, left: dict[str, None]) -> Generator[tuple[str, Answer], None, str]:
        """Answers until there are all, or none for too long, or no process any more; why there are not all."""
        stdin = self._start()
        stdin.writelines(json.dumps({"root": root, "rev": rev}) + "\n" for rev in left)
        stdin.flush()
        deadline = time.monotonic() + self._answer_s
        while left:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return f"DVC did not say within {self._answer_s:.0f} s where params and metrics are"
            if line is None:
                return "DVC could not be asked where params and metrics are: its process ended"
            answer = _decode(line, root)
            if answer is not None and answer[0] in left:
                deadline, self._num_stuck = time.monotonic() + self._answer_s, 0
                yield answer
        return ""

    def _start(self) -> IO[str]:
        process = self._process
        if process is None or process.poll() is not None:
            self._stop()
            self._lines = queue.SimpleQueue()
            process = self._open()
            threading.Thread(target=_pump, args=(process.stdout, self._lines), daemon=True).start()
        stdin = process.stdin
        if stdin is None:
            raise OSError("its process has no input")
        return stdin

    def _open(self) -> "subprocess.Popen[str]":
        with self._starting:
            if self._is_closed:
                raise OSError("this process is ending")
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                encoding="utf-8", errors="replace", env=os.environ | _ENVIRONMENT, start_new_session=self._has_session,
            )  # fmt: skip
            return self._process

    def _fail(self, reason: str, took_s: float) -> None:
        """Answer all that is asked for a while with this."""
        self._failure, self._failed_at = Answer(None, reason, is_final=False, took_s=took_s), time.monotonic()
        self._num_stuck = 0
        self._stop()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
            process.kill()
            process.wait()

    def _close_later(self) -> None:
        self._timer = threading.Timer(IDLE_S, self.close)
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """End the process; the next question starts another."""
        with self._lock:
            self._stop()

    def _kill(self) -> None:
        """End the process at once and for good, whoever waits for it."""
        with self._starting:
            self._is_closed, process = True, self._process
        if process is not None:
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GONE_S)  # what it took counts as ours


def _pump(stdout: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    with suppress(ValueError, OSError), stdout:
        for line in stdout:
            lines.put(line)
    lines.put(None)


def _decode(line: str, root: str) -> tuple[str, Answer] | None:
    """A revision and its answer; None for anything else that was printed."""
    try:
        found = json.loads(line)
        if found["root"] != root or not isinstance(found["rev"], str):
            return None
        layout, problem = found.get("layout"), found.get("problem", "")
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    is_final = found.get("is_final") is not False
    if isinstance(layout, dict):
        return found["rev"], Answer(layout, "", is_final)
    return found["rev"], Answer(None, f"DVC says: {problem}", is_final)


_shared: list[Resolver] = []
_shared_lock = threading.Lock()


def shared_resolver(*, has_session: bool = True) -> Resolver:
    """The one of this process, so that several stores start DVC once; whoever asks first says how."""
    with _shared_lock:
        if not _shared:
            _shared.append(Resolver(has_session=has_session))
        return _shared[0]
