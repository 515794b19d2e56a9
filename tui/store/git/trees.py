"""Git trees as dictionaries, read once each: two commits share every tree that did not change between them."""

from collections.abc import Iterator
from typing import Any

import pygit2

_MAX_TREES = 50_000

Entries = dict[str, tuple[Any, bool]]
"""Name -> (object id, whether it is a tree)."""


def is_dvc_file(name: str) -> bool:
    """Whether a file of this name has a say in what a project consists of."""
    return name in {"dvc.yaml", ".dvcignore"} or name.endswith(".dvc")


class TreeReader:
    """Looks up paths in Git trees."""

    def __init__(self, repository: Any) -> None:
        self._repository = repository
        self._entries: dict[Any, Entries] = {}
        self._dvc_files: dict[Any, tuple[tuple[str, Any], ...]] = {}

    def entries(self, tree_id: Any) -> Entries:
        """What a tree holds; KeyError if it is missing, OSError if it is corrupt."""
        known = self._entries.get(tree_id)
        if known is None:
            if len(self._entries) >= _MAX_TREES:
                self._entries.clear()
                self._dvc_files.clear()
            known = self._entries[tree_id] = self._read(tree_id)
        return known

    def _read(self, tree_id: Any) -> Entries:
        try:
            return {entry.name: (entry.id, type(entry) is pygit2.Tree) for entry in self._repository[tree_id]}
        except pygit2.GitError as error:
            raise OSError(f"a Git object is corrupt: {error}") from error

    def find(self, tree_id: Any, path: str) -> tuple[Any, bool] | None:
        """Object id at a path below a tree, and whether it is a tree; None if there is nothing."""
        found: tuple[Any, bool] = (tree_id, True)
        for part in path.split("/"):
            if not found[1]:
                return None
            step = self.entries(found[0]).get(part)
            if step is None and part == ".":
                continue  # DVC has it in paths that were written on Windows
            if step is None:
                return None
            found = step
        return found

    def dvc_files(self, tree_id: Any) -> tuple[tuple[str, Any], ...]:
        """Paths and object ids of all dvc.yaml, .dvc and .dvcignore files below a tree."""
        known = self._dvc_files.get(tree_id)
        if known is None:
            known = self._dvc_files[tree_id] = tuple(self._find_dvc_files(tree_id))
        return known

    def _find_dvc_files(self, tree_id: Any) -> Iterator[tuple[str, Any]]:
        for name, (object_id, is_tree) in self.entries(tree_id).items():
            if not is_tree:
                if is_dvc_file(name):
                    yield name, object_id
            elif name != ".dvc" and not self._is_project(object_id):
                yield from ((f"{name}/{path}", found) for path, found in self.dvc_files(object_id))

    def _is_project(self, tree_id: Any) -> bool:
        """Whether a folder is a DVC project of its own."""
        return self.entries(tree_id).get(".dvc", (None, False))[1]

    def below(self, tree_id: Any) -> Iterator[str]:
        """Paths of all files below a tree."""
        for name, (object_id, is_tree) in self.entries(tree_id).items():
            if is_tree:
                yield from (f"{name}/{path}" for path in self.below(object_id))
            else:
                yield name
