"""Keys of params pick what dpath picks, which is how DVC looks them up."""

import copy
from typing import Any

import dpath
import dpath.options
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.store.parsing.documents import BadDocumentError, Document, as_json
from tui.store.parsing.selection import select

NAMES = st.sampled_from(["a", "b", "c", "lr", "0", "1", "a.b", "x y", "é", "a*", "[a]", ""])
ODD_NAMES = NAMES | st.sampled_from([1, 2.5, True, None])
VALUES = st.none() | st.booleans() | st.integers(0, 3) | st.floats(0, 1) | st.sampled_from(["text", ""])
KEYS = st.lists(
    st.lists(
        st.sampled_from(["a", "b", "c", "lr", "0", "1", "*", "**", "a*", "?", "[ab]", "é", "", "x y"]),
        min_size=1,
        max_size=4,
    ).map(".".join),
    min_size=1,
    max_size=3,
)


def trees(names: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mappings of mappings, lists and scalars."""
    inner = st.recursive(
        VALUES, lambda below: st.dictionaries(names, below, max_size=3) | st.lists(below, max_size=3), max_leaves=10
    )
    return st.dictionaries(names, inner, max_size=4)


def by_dpath(document: Any, keys: list[str]) -> Any:
    """What DVC would pick; None where it fails."""
    dpath.options.ALLOW_EMPTY_STRING_KEYS = True
    chosen: dict[str, Any] = {}
    try:
        for key in dict.fromkeys(keys):
            dpath.merge(chosen, copy.deepcopy(dpath.search(document, key, separator=".")), separator=".")
    except Exception:  # noqa: BLE001 - dpath raises what it likes; DVC shows each of them as an error of the file
        return None
    return chosen


@settings(max_examples=1000, deadline=None)
@given(trees(NAMES) | trees(ODD_NAMES), KEYS)
def test_the_same_is_picked(document: Any, keys: list[str]) -> None:
    wanted = by_dpath(copy.deepcopy(document), keys)
    plain = as_json(document)
    before = copy.deepcopy(document)
    loaded = Document(document, document if repr(plain) == repr(document) else plain)
    try:
        found = select(loaded, tuple(keys))
    except BadDocumentError:
        assert wanted is None
    else:
        assert wanted is not None
        assert repr(ordered(found)) == repr(ordered(as_json(wanted)))
    assert repr(document) == repr(before)


def ordered(value: Any) -> Any:
    """The value with its names in order: theirs is that of no importance."""
    if isinstance(value, dict):
        return {name: ordered(value[name]) for name in sorted(value)}
    return [ordered(item) for item in value] if isinstance(value, list) else value
