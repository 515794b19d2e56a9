"""Repositories from cases: one per group, every case in a folder of its own."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from tests.contract.repos.cases import Case, Commit, Files, History
from tests.unit.store_repos import Content, RepoBuilder


def build(root: Path, cases: Sequence[Case]) -> Path:
    """A project with the histories of the cases side by side; a single case is at the root."""
    builder = RepoBuilder(root)
    folders = [""] if len(cases) == 1 else [f"{case.name}/" for case in cases]
    made = [_moved(case.make(_Placed(builder, folder)), folder) for case, folder in zip(cases, folders, strict=True)]
    for number, commits in enumerate(zip_longest(*(history.commits for history in made), fillvalue=Commit({}))):
        rev = builder.commit(_merged([commit.files for commit in commits]), f"commit {number}")
        experiments = zip_longest(*(commit.experiments for commit in commits), fillvalue={})
        for index, files in enumerate(experiments):
            builder.experiment(f"exp-{number}-{index}", rev, _merged(files))
    builder.checkout()
    _edit(builder, _merged([history.edits for history in made]))
    return builder.root


class _Placed(RepoBuilder):
    """The builder as a case sees it: it puts content into the cache, and knows its folder."""

    def __init__(self, builder: RepoBuilder, folder: str) -> None:
        self.root, self.git_root, self.prefix = builder.root, builder.git_root, folder


def _moved(history: History, folder: str) -> History:
    def move(files: Files) -> Files:
        return {folder + path: content for path, content in files.items()}

    commits = tuple(
        Commit(move(commit.files), tuple(move(files) for files in commit.experiments)) for commit in history.commits
    )
    return History(commits, move(history.edits))


def _merged(parts: Sequence[Files]) -> dict[str, Content | None]:
    return {path: content for files in parts for path, content in files.items()}


def _edit(builder: RepoBuilder, files: Files) -> None:
    for path, content in files.items():
        if content is None:
            (builder.root / path).unlink()
        else:
            builder.write({path: content})
