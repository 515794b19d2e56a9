"""Finds folders that dvclive writes its curves to, whether a dvc.yaml names them or not."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pygit2

from tui.store.git.trees import TreeReader
from tui.store.project import Project

CURVES = "plots/metrics"
"""Where they are below the folder of a `dvclive.Live`."""
_SKIPPED = {"node_modules", "__pycache__", "venv"}
_MAX_DEPTH, _MAX_FOLDERS = 3, 300
_FRESH_S = 5.0
_MAX_TREES = 100_000


class DvcliveFolders:
    """Paths of all folders `plots/metrics`."""

    def __init__(self, project: Project, trees: TreeReader) -> None:
        self._project, self._trees = project, trees
        self._known: dict[Any, tuple[str, ...]] = {}
        self._seen: dict[Path, tuple[float, list[str]]] = {}

    def of_commit(self, rev: str) -> tuple[str, ...]:
        """Those of a commit; KeyError or ValueError if the repository does not have it."""
        tree = self._project.repository[rev].peel(pygit2.Commit).tree_id
        found = self._trees.find(tree, self._project.prefix.rstrip("/")) if self._project.prefix else (tree, True)
        return self._of_tree(found[0]) if found is not None and found[1] else ()

    def _of_tree(self, tree: Any) -> tuple[str, ...]:
        known = self._known.get(tree)
        if known is None:
            if len(self._known) >= _MAX_TREES:
                self._known.clear()
            try:
                known = self._known[tree] = tuple(self._find(tree))
            except (KeyError, OSError):
                return ()  # a folder that is missing from the repository, or corrupt, hides no other
        return known

    def _find(self, tree: Any) -> Iterator[str]:
        found = self._trees.find(tree, CURVES)
        if found is not None and found[1]:
            yield CURVES
        for name, (below, is_tree) in self._trees.entries(tree).items():
            if is_tree and name != ".dvc":
                yield from (f"{name}/{path}" for path in self._of_tree(below))

    def on_disk(self, root: Path) -> list[str]:
        """Those near the top of a folder; what was seen a moment ago is not looked for again."""
        seen = self._seen.get(root)
        if seen is None or time.monotonic() - seen[0] > _FRESH_S:
            seen = self._seen[root] = (time.monotonic(), sorted(_search(root)))
        return seen[1]


def _search(root: Path) -> Iterator[str]:
    folders, num_folders = [""], 0
    for _ in range(_MAX_DEPTH):
        below: list[str] = []
        for folder in folders:
            num_folders += 1
            if num_folders > _MAX_FOLDERS:
                return
            if (root / folder / CURVES).is_dir():
                yield f"{folder}{CURVES}"
            below += _folders_in(root, folder)
        folders = below


def _folders_in(root: Path, folder: str) -> list[str]:
    try:
        with os.scandir(root / folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [f"{folder}{name}/" for name in sorted(names) if not name.startswith(".") and name not in _SKIPPED]
