"""Projects in every kind of place against `dvc exp show --json`."""

from pathlib import Path

import pytest

from tests.contract.repos.comparing import Rows, dvc_rows, first_difference, our_rows
from tests.contract.repos.places import PLACES

NUM_PLACES = 12
Projects = dict[str, list[tuple[Path, Rows]]]


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """Every project with what DVC shows of it."""
    folder = tmp_path_factory.mktemp("places")
    roots = {name: make(folder / name) for name, make in PLACES.items()}
    answers = iter(dvc_rows([root for found in roots.values() for root in found]))
    return {name: [(root, next(answers)) for root in found] for name, found in roots.items()}


def test_all_places_are_here() -> None:
    assert len(PLACES) == NUM_PLACES


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_all_rows_equal_those_of_dvc(projects: Projects, name: str) -> None:
    for root, theirs in projects[name]:
        assert first_difference(f"{name} {root.name}", theirs, our_rows(root)) is None
