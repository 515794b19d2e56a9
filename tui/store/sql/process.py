"""Runs queries in a process of its own, which can be ended at any moment; arguments: root, number of commits.

DuckDB looks at interrupts and at its memory limit only between the pieces of a query; one call of a function can take
minutes and all memory. So time and cancel are a signal, and memory is a limit of the process.
"""

import os
import resource
import select
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tui.core.errors import UserError
from tui.core.queries import TooLargeError
from tui.store.git_store import GitStore
from tui.store.layouts.resolver import shared_resolver
from tui.store.sql.query import QueryEngine
from tui.store.sql.wire import Request, decode_request, encode_answer

MAX_MEMORY = 3 * 1024**3
IDLE_S = 900.0
"""After so long without a question the process ends, and gives its memory back."""
_GRACE_S = 5.0
_LONGEST_S = 7 * 86_400.0


def main() -> None:
    """Answer one line after the other until nobody asks any more."""
    root, num_commits = Path(sys.argv[1]), int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing else may come between the answers
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_DATA, MAX_MEMORY)
    shared_resolver(has_session=False)  # who ends this process ends its group
    opened = None if _is_asked(sys.stdin.buffer) else _prepared(root, num_commits)
    while (line := _next_line(sys.stdin.buffer)) is not None:
        request = decode_request(line)
        # a parent that was killed asks for no end
        signal.setitimer(signal.ITIMER_REAL, min(request.timeout_s, _LONGEST_S) + _GRACE_S)
        try:
            opened = opened or _open(root, num_commits)
            answer = _answer(*opened, request)
        except UserError as error:
            answer = encode_answer(error)
        except MemoryError:
            answer = encode_answer(TooLargeError())
        except BaseException as error:  # noqa: BLE001 - the process that asked shows it
            answer = encode_answer(error, traceback.format_exc())
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(answer)
        answers.flush()


def _open(root: Path, num_commits: int) -> tuple[GitStore, QueryEngine]:
    store = GitStore(root, num_commits)
    return store, QueryEngine(store)


def _prepared(root: Path, num_commits: int) -> tuple[GitStore, QueryEngine] | None:
    """Nobody asks yet: time to read the experiments. What is wrong with them the first question tells."""
    with suppress(UserError, MemoryError):
        store, engine = _open(root, num_commits)
        store.experiments()
        return store, engine
    return None


def _is_asked(stream: BinaryIO) -> bool:
    return bool(select.select([stream], [], [], 0)[0])


def _answer(store: GitStore, engine: QueryEngine, request: Request) -> bytes:
    result = engine.run(request.sql, store.experiments(request.runs), request.runs, request.limit, request.parameters)
    return encode_answer(result)


def _next_line(stream: BinaryIO) -> bytes | None:
    ready, _, _ = select.select([stream], [], [], IDLE_S)
    return (stream.readline() or None) if ready else None


def _limit(kind: int, most: int) -> None:
    """Where the system has no such limit, it goes without."""
    _, hard = resource.getrlimit(kind)
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main()
