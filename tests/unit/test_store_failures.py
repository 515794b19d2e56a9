"""Which failures of DVC are kept, and for how long."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tui.store.cache_file import CacheFile
from tui.store.layouts.failures import FIRST_WAIT_S, LONGEST_WAIT_S, SLOW_S, Failures
from tui.store.layouts.resolver import Answer

LAYOUT: dict[str, Any] = {"params": {}, "problems": {}}
STUCK = Answer(None, "DVC is stuck", is_final=False, took_s=30.0)


class Clock(SimpleNamespace):
    """A time that goes on only when it is told to."""

    now = 1_700_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("tui.store.layouts.failures.time", found)
    return found


@pytest.fixture
def cache(tmp_path: Path) -> CacheFile:
    return CacheFile(tmp_path / "rows.sqlite", ("layouts",))


def failures(cache: CacheFile) -> Failures:
    return Failures(cache, "layouts")


@pytest.mark.parametrize(
    ("answer", "is_kept"),
    [
        (STUCK, True),
        (Answer(None, "fast", is_final=False, took_s=SLOW_S - 0.1), False),
        (Answer(None, "DVC says no", is_final=True, took_s=SLOW_S), True),
        (Answer(LAYOUT, is_final=False, took_s=SLOW_S), True),
        (Answer(LAYOUT, took_s=SLOW_S), False),
    ],
)
def test_only_what_took_long_and_is_no_answer_is_kept(
    cache: CacheFile, clock: Clock, answer: Answer, is_kept: bool
) -> None:
    assert clock.now
    failures(cache).keep("key", answer)
    found = failures(cache).recent("key")
    assert (found is not None) == is_kept
    assert failures(cache).recent("other") is None
    if found is not None:
        assert found.layout == answer.layout
        assert found.problem.startswith(answer.problem)
        assert not found.is_final


def test_the_wait_doubles_up_to_a_day(cache: CacheFile, clock: Clock) -> None:
    kept = failures(cache)
    for number in range(12):
        wait_s = min(FIRST_WAIT_S * 2**number, LONGEST_WAIT_S)
        kept.keep("key", STUCK)
        clock.now += wait_s - 1
        assert kept.recent("key") is not None
        clock.now += 1
        assert kept.recent("key") is None
    assert wait_s == LONGEST_WAIT_S


def test_a_failure_of_the_future_does_not_count(cache: CacheFile, clock: Clock) -> None:
    failures(cache).keep("key", STUCK)
    clock.now -= 60
    assert failures(cache).recent("key") is None


def test_the_problem_says_how_old_it_is(cache: CacheFile, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock.now
    monkeypatch.setattr("tui.store.layouts.failures._minute", lambda stamp: f"{stamp:.0f}")
    failures(cache).keep("key", STUCK)
    found = failures(cache).recent("key")
    assert found is not None
    assert found.problem == "DVC is stuck (asked at 1700000000, not again before 1700000300)"


@pytest.mark.parametrize("stored", [b"", b"nonsense", b"[]", b"[1,2,3,4]", b'[null,"x","y","z"]', b'{"a": 1}', b"null"])
def test_a_record_that_is_none_does_not_count(cache: CacheFile, clock: Clock, stored: bytes) -> None:
    assert clock.now
    cache.put("layouts", [("key:failed", stored)])
    assert failures(cache).recent("key") is None
    failures(cache).keep("key", STUCK)
    assert failures(cache).recent("key") is not None
