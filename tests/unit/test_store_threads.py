"""Parts of the store that are made when they are first asked for."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.store_repos import RepoBuilder
from tui.store import GitStore
from tui.store.built_once import BuiltOnce


class Owner:
    """Counts what it makes."""

    def __init__(self) -> None:
        self.num_made = 0

    @BuiltOnce
    def part(self) -> object:
        self.num_made += 1
        time.sleep(0.05)
        return object()

    @BuiltOnce
    def whole(self) -> list[object]:
        return [self.part]


def test_threads_that_ask_at_once_get_the_same_part() -> None:
    owner, other, together = Owner(), Owner(), threading.Barrier(8)

    def ask(number: int) -> object:
        together.wait(10)
        return owner.part if number % 2 else owner.whole[0]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {owner.part}
    assert owner.num_made == 1
    assert other.part is not owner.part


@pytest.mark.parametrize("name", ["_series", "_decoded", "_curves", "_samples", "_lineage", "_results", "_queries"])
def test_the_parts_of_a_store_are_made_once(tmp_path: Path, name: str) -> None:
    builder = RepoBuilder(tmp_path / "p")
    builder.commit({"params.yaml": "a: 1\n"})
    assert isinstance(vars(GitStore)[name], BuiltOnce)
    store = GitStore(builder.root)
    assert getattr(store, name) is getattr(store, name)
