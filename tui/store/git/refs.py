"""Branches, tags and experiment refs, and a cheap way to see that none of them has changed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from tui.store.git.loose_refs import LooseRefs, PackedRefs
from tui.store.project import Project

_EXPERIMENTS = "refs/exps/"
_NOT_EXPERIMENTS = {"apply", "celery", "exec", "temp", "stash"}
_NAMED = ("refs/heads", "refs/tags")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DEEPEST = 5


class ExperimentRef(NamedTuple):
    """An experiment that DVC, or finetui, has stored."""

    name: str
    baseline: str
    rev: str
    """SHA; empty if the ref is broken."""


@dataclass(frozen=True)
class Refs:
    """Everything that points at commits."""

    head: str | None
    """SHA of HEAD; None in a repository without commits."""
    named: dict[str, tuple[str, ...]]
    """SHA -> branches and tags that point at it."""
    groups: dict[str, tuple[ExperimentRef, ...]]
    """SHA of a baseline -> its experiments, by name; the same tuple as before if nothing in it has changed."""

    @cached_property
    def experiments(self) -> tuple[ExperimentRef, ...]:
        """All experiments."""
        return tuple(ref for group in self.groups.values() for ref in group)


class RefReader:
    """Reads the refs of a repository, and only what has changed the next time."""

    def __init__(self, project: Project) -> None:
        self._project, self._git_dir = project, project.git_dir
        self._loose, self._packed = LooseRefs(project.common_dir), PackedRefs(project.common_dir)
        self._refs: Refs | None = None
        self._sources: dict[str, tuple[object, object]] = {}
        self._tagged: dict[str, str | None] = {}

    def read(self) -> Refs:
        """All refs; the very same value as before if none has changed. One that is broken is left out, unless it is
        an experiment's: then its SHA is empty."""
        packed_changed, loose_changed = self._packed.refresh(), self._loose.refresh()
        head = self._head()
        if self._refs is None or packed_changed or loose_changed or head != self._refs.head:
            self._refs = Refs(head, self._named(), self._groups())
        return self._refs

    def _head(self) -> str | None:
        try:
            text = (self._git_dir / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None
        return self._follow(text)

    def _follow(self, content: str | None) -> str | None:
        """SHA that the content of a ref leads to."""
        for _ in range(_DEEPEST):
            if content is None or not content.startswith("ref:"):
                break
            content = self._content(content[4:].strip())
        return content if content is not None and _SHA.fullmatch(content) else None

    def _content(self, ref: str) -> str | None:
        loose = self._loose.get(ref)
        return loose if loose is not None else self._packed.get(ref)

    def _named(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for ref, content in sorted(self._branches_and_tags()):
            rev = self._follow(content)
            if rev is not None and ref.startswith("refs/tags/"):
                rev = self._commit_of(rev)
            if rev is not None:
                found.setdefault(rev, []).append(_text(ref.split("/", 2)[2]))
        return {rev: tuple(names) for rev, names in found.items()}

    def _branches_and_tags(self) -> Iterator[tuple[str, str]]:
        contents: dict[str, str] = {}
        for path in {*self._packed.folders, *self._loose.folders}:
            if path in _NAMED or path.startswith(tuple(f"{name}/" for name in _NAMED)):
                contents.update({f"{path}/{name}": text for name, text in self._contents(path).items()})
        yield from contents.items()

    def _contents(self, path: str) -> dict[str, str]:
        """Name -> content of what is in a folder; a file hides what is packed."""
        packed, loose = self._packed.folders.get(path), self._loose.folders.get(path)
        if loose is None or not packed:
            return loose.refs if loose is not None else packed or {}
        return dict(sorted({**packed, **loose.refs}.items()))

    def _groups(self) -> dict[str, tuple[ExperimentRef, ...]]:
        before = self._refs.groups if self._refs is not None else {}
        groups: dict[str, tuple[ExperimentRef, ...]] = {}
        sources: dict[str, tuple[object, object]] = {}
        for path in sorted({*self._packed.folders, *self._loose.folders}):
            parts = path.split("/")
            if not path.startswith(_EXPERIMENTS) or len(parts) != 4 or parts[2] in _NOT_EXPERIMENTS:
                continue
            baseline = parts[2] + parts[3]
            sources[baseline] = source = (self._loose.folders.get(path), self._packed.folders.get(path))
            old = self._sources.get(baseline)
            same = old is not None and old[0] is source[0] and old[1] is source[1]
            group = before.get(baseline, ()) if same else self._group(baseline, path, before.get(baseline, ()))
            if group:
                groups[baseline] = group
        self._sources = sources
        return groups

    def _group(self, baseline: str, path: str, before: tuple[ExperimentRef, ...]) -> tuple[ExperimentRef, ...]:
        found = []
        known = {ref.name: ref for ref in before}
        for name, content in self._contents(path).items():
            ref = known.get(name)
            if ref is None or ref.rev != content:
                rev = self._follow(content) or ""
                ref = ref if ref is not None and ref.rev == rev else ExperimentRef(_text(name), baseline, rev)
            found.append(ref)
        return before if tuple(found) == before else tuple(found)

    def _commit_of(self, sha: str) -> str | None:
        """The commit that a tag means; None if it is of something else."""
        if sha not in self._tagged:
            self._tagged[sha] = self._packed.peeled.get(sha) or self._peel(sha)
        return self._tagged[sha]

    def _peel(self, sha: str) -> str | None:
        import pygit2

        try:
            return str(self._project.repository[sha].peel(pygit2.Commit).id)
        except KeyError:
            return sha  # its row will say that it is missing
        except (ValueError, pygit2.GitError):
            return None


def _text(name: str) -> str:
    """A name as text; bytes of it that are no UTF-8 are replaced."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
