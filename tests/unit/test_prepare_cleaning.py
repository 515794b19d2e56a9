"""Normalisation of text."""

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.data.cleaning import normalise
from pipeline.data.rows import DroppedRow, printable

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\t\x00\x1b\x85 e\u0301\u00e9\u0344"))


@given(TEXT)
@example("\x00 a \x00")
@example("e\x00\u0301")
def test_normalised_text_is_nfc_without_control_characters_and_stays_as_it_is(text: str) -> None:
    clean = normalise(text)
    assert normalise(clean) == clean
    assert clean == clean.strip()
    assert unicodedata.is_normalized("NFC", clean)
    assert {char for char in clean if unicodedata.category(char) == "Cc"} <= {"\n", "\t"}


def test_equal_looking_texts_become_equal() -> None:
    assert normalise("cafe\u0301\r\n a\tb\r") == normalise(" caf\u00e9\n a\tb") == "café\n a\tb"


@given(st.text())
def test_a_message_about_a_row_holds_no_control_characters(text: str) -> None:
    assert str(DroppedRow("f", 1, "r", text)).isprintable()
    assert printable("plain text: é") == "plain text: é"
