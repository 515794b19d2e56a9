"""Every case at the root of a repository of its own: a message names the case, and no case hides behind another."""

from pathlib import Path

import pytest

from tests.contract.repos.building import build
from tests.contract.repos.cases import Case
from tests.contract.repos.comparing import Rows, dvc_rows, first_difference, our_rows
from tests.contract.test_store_equals_dvc import groups

SHARED = [case for cases in groups().values() if len(cases) > 1 for case in cases]
"""The others have a repository of their own anyway."""


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Rows]]:
    """Every repository with what DVC shows of it."""
    folder = tmp_path_factory.mktemp("cases")
    roots = [build(folder / case.name, [case]) for case in SHARED]
    answers = zip(roots, dvc_rows(roots), strict=True)
    return {case.name: answer for case, answer in zip(SHARED, answers, strict=True)}


def test_there_are_cases() -> None:
    assert len(SHARED) > 40


@pytest.mark.slow
@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.name)
def test_all_rows_equal_those_of_dvc(projects: dict[str, tuple[Path, Rows]], case: Case) -> None:
    root, theirs = projects[case.name]
    assert first_difference(case.name, theirs, our_rows(root)) is None
