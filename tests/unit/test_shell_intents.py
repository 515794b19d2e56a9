"""The grammar file: every intent can be filled, and no two say the same."""

import re
from random import Random

import pytest

from pipeline.data.shell.intents import Intent, fill, load_intents
from pipeline.data.shell.slots import SLOTS

INTENTS = load_intents()
SLOT = re.compile(r"\{([a-z]+)\d?\}")


def test_there_are_enough_intents_in_every_category() -> None:
    sizes = {
        category: sum(intent.category == category for intent in INTENTS) for category in {i.category for i in INTENTS}
    }
    assert len(sizes) >= 8
    assert min(sizes.values()) >= 4


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.command)
def test_every_text_of_an_intent_fills(intent: Intent) -> None:
    assert len(intent.requests) >= 2
    assert len(intent.notes) >= 2
    values = intent.draw_values(Random(0))
    for text in (intent.command, *intent.requests, *intent.notes):
        assert SLOT.search(fill(text, values)) is None
        assert set(SLOT.findall(text)) <= {*SLOTS, "language"}


def test_every_request_and_note_names_every_slot_of_its_command() -> None:
    """A request that leaves out a value could not be answered."""
    for intent in INTENTS:
        needed = set(SLOT.findall(intent.command))
        for text in (*intent.requests, *intent.notes):
            named = {"ext" if slot == "language" else slot for slot in SLOT.findall(text)}
            assert needed <= named, text


def test_no_two_intents_share_a_text() -> None:
    texts = [text for intent in INTENTS for text in (*intent.requests, *intent.notes)]
    assert len(texts) == len(set(texts)) > 200
    assert len({intent.command for intent in INTENTS}) == len(INTENTS)


def test_a_second_value_differs_from_the_first() -> None:
    copy = next(intent for intent in INTENTS if "{folder2}" in intent.command)
    for seed in range(200):
        values = copy.draw_values(Random(seed))
        assert values["folder"] != values["folder2"]
