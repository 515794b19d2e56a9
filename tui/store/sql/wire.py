"""Requests to the process that runs queries, and its answers, as lines of JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from tui.core.errors import UsageError, UserError
from tui.core.ports import QueryResult
from tui.core.queries import QueryError, TooLargeError
from tui.core.runs import Run, StageProgress

_ERRORS: dict[str, type[UserError]] = {
    kind.__name__: kind for kind in (UserError, UsageError, QueryError, TooLargeError)
}
_TIMES = {"TIMESTAMP": datetime.fromisoformat, "DATE": date.fromisoformat, "TIME": time.fromisoformat}
_RUN_TIMES, _RUN_PATHS = ("started_at", "ended_at"), ("directory", "log")


@dataclass(frozen=True, slots=True)
class Request:
    """What to run."""

    sql: str
    runs: Sequence[Run] = ()
    limit: int = 10_000
    timeout_s: float = 30.0
    parameters: Mapping[str, str] = field(default_factory=dict)


class EngineCrash(Exception):
    """An error in the other process that nobody expected."""


def encode_request(request: Request) -> bytes:
    """One line."""
    return _line(asdict(request))


def decode_request(line: bytes) -> Request:
    """What was asked."""
    values = json.loads(line)
    return Request(**{**values, "runs": tuple(_run(run) for run in values["runs"])})


def encode_answer(answer: QueryResult | BaseException, traceback: str = "") -> bytes:
    """One line: a result, a UserError, or the traceback of any other error."""
    if isinstance(answer, QueryResult):
        return _line({"result": {name: getattr(answer, name) for name in QueryResult.__slots__}})
    if isinstance(answer, UserError):
        position = getattr(answer, "position", None)
        error = {"title": answer.title, "detail": answer.detail, "hint": answer.hint, "position": position}
        return _line({"error": type(answer).__name__, **error})
    return _line({"crash": traceback or repr(answer)})


def decode_answer(line: bytes) -> QueryResult:
    """The result, or its error raised."""
    answer = json.loads(line)
    if "crash" in answer:
        raise EngineCrash(answer["crash"])
    if "error" in answer:
        raise _error(answer)
    return _result(answer["result"])


def _error(answer: Mapping[str, Any]) -> UserError:
    words = answer["title"], answer["detail"], answer["hint"]
    kind = _ERRORS[answer["error"]]
    return QueryError(*words, answer["position"]) if kind is QueryError else kind(*words)


def _result(values: dict[str, Any]) -> QueryResult:
    types = tuple(values["types"])
    readers = {index: _TIMES[kind] for index, kind in enumerate(types) if kind in _TIMES}
    rows = values["rows"]
    for row in rows if readers else ():
        for index, read in readers.items():
            row[index] = _time(row[index], read)
    return QueryResult(
        tuple(values["columns"]), tuple(map(tuple, rows)), values["truncated"], types, tuple(values["notes"])
    )


def _time(text: str | None, read: Any) -> Any:
    """A time; what Python has no name for, such as infinity, stays text."""
    try:
        return None if text is None else read(text)
    except ValueError:
        return text


def _run(values: dict[str, Any]) -> Run:
    times = {name: None if values[name] is None else datetime.fromisoformat(values[name]) for name in _RUN_TIMES}
    paths = {name: Path(values[name]) for name in _RUN_PATHS}
    progress = tuple(StageProgress(**one) for one in values["progress"])
    return Run(**{**values, **times, **paths, "progress": progress})


def _line(value: Any) -> bytes:
    return json.dumps(value, default=_text).encode() + b"\n"


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)
