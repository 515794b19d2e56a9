"""Untrusted text: nothing of it reaches the terminal as a control, and it takes the cells it was given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.widgets.text import cell_width, fit, neutral, shorten

NASTY = [
    "\x1b[2J\x1b[H",
    "\x1b]52;c;ZXZpbA==\x07",
    "a\x9b31mb",
    "line\nbreak\r\n\ttab",
    "\u202eevil\u2066",
    "\ud800",
    "[bold]x[/bold] [@click=app.quit]q[/]",
    "日本語のテキスト",
    "👩‍👩‍👧‍👦 family",
    "🚀\u200d\u200d\u2640\ufe0f \x1b\u200d",
    "e\u0301" * 30,
    "z" + "\u0300" * 5000,
    "\U000e0041tag",
]
texts = st.text() | st.sampled_from(NASTY)


@given(texts)
def test_neutral_text_has_no_controls(text: str) -> None:
    safe = neutral(text)
    assert not [c for c in safe if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000]
    assert not set(safe) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\ufeff")
    assert neutral(safe) == safe
    safe.encode("utf-8")


def test_neutral_leaves_ordinary_text_alone() -> None:
    for text in ("eval/exact_match", "Ünïcödé", "日本語", "a b", "🙂", ""):
        assert neutral(text) == text


def test_neutral_shows_what_was_there() -> None:
    assert neutral("a\x1b[31mb\nc\x7f") == "a␛[31mb⏎c␡"
    assert neutral("a\tb\r\nc\x07", multiline=True) == "a    b\nc␇"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("👩‍👩‍👧‍👦", "👩👩👧👦"),
        ("❤️‍🔥 ⚠️", "❤🔥 ⚠"),
        ("👍🏽", "👍"),
        ("1️⃣", "1\u20e3"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
    ],
)
def test_pictures_are_as_wide_in_every_terminal(text: str, expected: str) -> None:
    assert neutral(text) == expected
    assert cell_len(neutral(text)) == sum(map(cell_len, expected)) or "\u200d" in expected


@given(texts, st.integers(0, 30), st.sampled_from(["left", "right", "center"]))
def test_fit_takes_exactly_the_cells(text: str, width: int, align: str) -> None:
    assert cell_len(fit(neutral(text), width, align)) == width  # type: ignore[arg-type]  # a sampled literal


@given(texts, st.integers(0, 30))
def test_shorten_keeps_what_fits(text: str, width: int) -> None:
    safe = neutral(text)
    short = shorten(safe, width)
    assert cell_len(short) <= width
    if width and cell_len(safe) <= width and len(safe) <= 8 * width:
        assert short == safe
    elif width:
        assert short.endswith("…")


@pytest.mark.parametrize(
    ("text", "width", "align", "expected"),
    [
        ("abc", 5, "right", "  abc"),
        ("abcdef", 4, "left", "abc…"),
        ("日本語", 4, "left", "日 …"),
        ("日本語", 5, "left", "日本…"),
        ("日本", 5, "right", " 日本"),
        ("x", 4, "center", " x  "),
        ("abc", 0, "left", ""),
    ],
)
def test_fit(text: str, width: int, align: str, expected: str) -> None:
    assert fit(text, width, align) == expected  # type: ignore[arg-type]  # literals from the table above


def test_cell_width_counts_wide_characters_twice() -> None:
    assert [cell_width(t) for t in ("abc", "日本", "é", "e\u0301")] == [3, 4, 1, 1]
