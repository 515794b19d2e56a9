"""The read side: Git objects and the DVC cache in, values out."""

from tui.store.git_store import GitStore, find_project

__all__ = ["GitStore", "find_project"]
