"""Names of experiments: refused before anything starts, or made up."""

import pytest

from tests.projects import git, make_project
from tui.core.errors import UsageError
from tui.dvc.names import check_name, exps_namespace, make_name
from tui.dvc.project import Project, open_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return open_project(make_project(tmp_path_factory.mktemp("names") / "project"))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-x",
        "--force",
        "a/b",
        "a b",
        "a..b",
        "a~1",
        "a:b",
        "a@{0}",
        "x.lock",
        ".x",
        "x.",
        "a*",
        "a\\b",
        "a\nb",
        "é" * 51,
    ],
)
def test_bad_names_are_refused(project: Project, name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name, project, set())


@pytest.mark.parametrize("name", ["lr-1e-5", "Größe", "exec", "main", "v1.2_x", "x" * 100])
def test_good_names_pass(project: Project, name: str) -> None:
    check_name(name, project, set())


def test_a_taken_name_is_refused(project: Project) -> None:
    with pytest.raises(UsageError, match="exists already"):
        check_name("owl", project, {"owl"})


def test_made_up_names_are_free_and_allowed(project: Project) -> None:
    taken: set[str] = set()
    for _ in range(200):
        name = make_name(taken)
        assert name not in taken
        taken.add(name)
    check_name(max(taken, key=len), project, set())


def test_the_namespace_is_the_one_of_dvc(project: Project) -> None:
    sha = git(project.root, "rev-parse", "HEAD")
    assert exps_namespace(project.baseline) == f"refs/exps/{sha[:2]}/{sha[2:]}"


def test_a_name_stays_free_when_all_pairs_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.dvc.names._ADJECTIVES", "odd")
    monkeypatch.setattr("tui.dvc.names._ANIMALS", "owl")
    assert make_name({"odd-owl"}).startswith("odd-owl-")
