"""Every row of generated repositories against `dvc exp show --json`, value for value and type for type."""

import shutil
import time
from pathlib import Path

import pytest

from tests.contract.repos import (
    failing_cases,
    metrics_cases,
    params_cases,
    public_cases,
    random_cases,
    surveyed_cases,
    template_cases,
    tracking_cases,
)
from tests.contract.repos.building import build
from tests.contract.repos.cases import CASES, Case
from tests.contract.repos.comparing import Rows, dvc_rows, first_difference, our_rows
from tui.store import GitStore

MODULES = (
    failing_cases,
    metrics_cases,
    params_cases,
    public_cases,
    random_cases,
    surveyed_cases,
    template_cases,
    tracking_cases,
)
"""Modules that register cases."""
NUM_CASES = 59


def groups() -> dict[str, list[Case]]:
    """Cases that share a repository, by the name of the group."""
    found: dict[str, list[Case]] = {}
    for case in CASES.values():
        found.setdefault(case.group, []).append(case)
    return found


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Rows]]:
    """Every repository with what DVC shows of it."""
    folder = tmp_path_factory.mktemp("projects")
    roots = {name: build(folder / name, cases) for name, cases in groups().items()}
    return dict(zip(roots, zip(roots.values(), dvc_rows(list(roots.values())), strict=True), strict=True))


def test_all_cases_are_here() -> None:
    assert len(CASES) == NUM_CASES


@pytest.mark.slow
@pytest.mark.parametrize("name", groups())
def test_all_rows_equal_those_of_dvc(projects: dict[str, tuple[Path, Rows]], name: str) -> None:
    root, theirs = projects[name]
    ours = our_rows(root)
    assert first_difference(name, theirs, ours) is None
    assert first_difference(f"{name}, read again", theirs, our_rows(root)) is None


@pytest.mark.slow
def test_a_live_store_has_the_same_rows_once_dvc_has_answered(projects: dict[str, tuple[Path, Rows]]) -> None:
    for name in ("templates", "whole_revisions_fail"):
        root, theirs = projects[name]
        shutil.rmtree(root / ".dvc/tmp/finetui", ignore_errors=True)
        store = GitStore(root, num_commits=1000, is_live=True)
        found = store.experiments()
        assert any(row.is_pending for row in found)
        deadline = time.monotonic() + 60
        while any(row.is_pending for row in found):
            assert time.monotonic() < deadline
            time.sleep(0.05)
            found = store.experiments()
        assert first_difference(f"{name}, live", theirs, {(row.rev, row.name): row for row in found}) is None
