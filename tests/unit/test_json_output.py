"""Values as JSON: written fast where that is possible, and the same where it is not."""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tui.cli.output import print_error, print_json, print_table
from tui.core.plain import plain


@dataclass(frozen=True, slots=True)
class Named:
    """A value with fields."""

    name: str
    when: datetime
    parts: tuple[int, ...] = ()


NOW = datetime(2026, 11, 23, 14, 5, 6, 789, UTC)
VALUES = [
    {"a": [1, 2.5, None, True, "x"], "b": {}, "c": [], "d": 'naïve 漢字 \x1b[2J " \\ \n'},
    {"nan": float("nan"), "inf": [float("inf"), -float("inf")], "tiny": 1e-300, "small": 1e-05, "whole": 3.0},
    {1: "number", False: "false", None: "none", 1.5: "float"},
    {"large": 10**30, "negative": -(10**30), "limit": [2**63, 2**64 - 1]},
    {"broken": "\ud800"},
    [Named("x", NOW, (1, 2)), Named("y", NOW.astimezone(timezone(timedelta(hours=5, minutes=30))))],
    {"path": Path("a/b"), "set": frozenset({1}), "range": range(3), "tuple": (1, (2, 3))},
    {"nested": {"mapping": {2: {3: float("nan")}}, "dates": [NOW.replace(microsecond=0)]}},
]


@pytest.mark.parametrize("value", VALUES)
def test_what_is_printed_is_what_the_plain_value_is(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    print_json(value)
    text = capsys.readouterr().out
    assert text.endswith("\n")
    assert text.encode(), "what no terminal can take is escaped"
    assert json.loads(text, parse_constant=pytest.fail) == json.loads(json.dumps(plain(value)))


def test_json_goes_where_there_is_no_file_as_well() -> None:
    with redirect_stdout(StringIO()) as text:
        print_json(["ä"])
    assert text.getvalue() == '[\n  "ä"\n]\n'


DRIVING = [*map(chr, range(0x7F, 0xA0)), *"\x1b\u061c\u200e\u200f\u202a\u202e\u2066\u2069"]


@pytest.mark.parametrize("value", [DRIVING, [10**30, *DRIVING]])
def test_json_does_not_drive_a_terminal(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    print_json(value)
    text = capsys.readouterr().out
    assert not set(DRIVING) & set(text)
    assert json.loads(text) == value


def test_errors_do_not_drive_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("no metric a\x1b[2J\u009b31m\u202eb\nsecond line")
    assert capsys.readouterr().err == "finetui: no metric a[2J31mb\nsecond line\n"


def test_csv_does_not_drive_a_terminal_and_keeps_all_in_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_table(["a"], [["x\x1b[2J"]], "csv")
    assert capsys.readouterr().out == "a\nx\x1b[2J\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(["a"], [["x\x1b[2J"]], "csv")
    assert capsys.readouterr().out == "a\nx[2J\n"
