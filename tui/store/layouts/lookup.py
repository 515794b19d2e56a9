"""Layouts by what decides them: from memory, from the cache file, or from DVC."""

import posixpath
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import orjson

from tui.store.cache_file import CacheFile
from tui.store.git.files import CONFIG, Files, FolderFiles
from tui.store.layouts.failures import Failures
from tui.store.layouts.key import LayoutKeys
from tui.store.layouts.layout import PARAMS, Layout, decode_layout
from tui.store.layouts.literal import add_pipeline, literal_layout
from tui.store.layouts.resolver import RETRY_S, Answer, Resolver, shared_resolver
from tui.store.parsing.documents import BadDocumentError, Documents, TooMuchError

TABLE = "layouts"
"""Table of the cache file: JSON of `dvc_layout` by key, and what `Failures` keeps."""
_MAX_LAYOUTS = 5_000


class Layouts:
    """Knows the layout of any revision; DVC is asked once per key, about all that is unknown at once.

    Its caller asks for one at a time. The thread that asks DVC touches the keys, adds to the answers, and takes what is
    pending under the lock; the rest is the caller's.
    """

    def __init__(
        self,
        documents: Documents,
        cache: CacheFile | None = None,
        resolver: Resolver | None = None,
        is_live: bool = False,
    ) -> None:
        self._documents, self._cache = documents, cache or CacheFile(None, (TABLE,))
        self._resolver, self._is_live = resolver or shared_resolver(), is_live
        self._keys, self._failures = LayoutKeys(documents), Failures(self._cache, TABLE)
        self._lock = threading.RLock()
        self._known: dict[str, Layout] = {}
        self._answers: dict[str, Answer] = {}
        self._failed: dict[str, tuple[float, Layout]] = {}
        self._pending: dict[str, Files] = {}
        self._asking: threading.Thread | None = None
        self.version = 0
        """Goes up with every answer of DVC: what was read before with a layout that is not final may differ now."""

    def of(self, files: Files) -> Layout:
        """The layout of a revision; live, while DVC does not know it yet, what is plain to see."""
        if all(path == CONFIG for path, _ in files.dvc_files()):
            return literal_layout(files, self._documents)  # there is nothing to ask about
        if self._is_too_much(files):
            return literal_layout(files, self._documents)
        key = self._keys.of(files)
        found = self._find(key, files)
        if found is not None:
            return found
        if self._is_live:
            self._ask_aside({key: files})
            return replace(literal_layout(files, self._documents), is_pending=True, is_final=False)
        self._ask({key: files})
        return self._find(key, files) or replace(literal_layout(files, self._documents), is_final=False)

    def _is_too_much(self, files: Files) -> bool:
        """Whether a file that DVC would read first is one that it would be at for minutes, or for ever."""
        for path in files.pipelines():
            for place in (path, posixpath.join(posixpath.dirname(path), PARAMS)):
                try:
                    if files.identity(place) is not None:
                        self._documents.load(files, place)
                except TooMuchError:
                    return True
                except BadDocumentError:
                    continue
        return False

    def wait(self, timeout_s: float) -> bool:
        """Wait until DVC has answered all that it was asked aside; whether it has."""
        thread = self._asking
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def _find(self, key: str, files: Files) -> Layout | None:
        known = self._known.get(key)
        if known is not None:
            return known
        answer = self._answers.pop(key, None)
        if answer is not None:
            return self._learn(key, files, answer)
        failed = self._failed.get(key)
        if failed is not None and time.monotonic() - failed[0] < RETRY_S:
            return failed[1]
        stored = self._cache.get(TABLE, [key]).get(key)
        if stored is None:
            answer = self._failures.recent(key)
            return None if answer is None else self._learn(key, files, _checked(answer))
        with suppress(ValueError):
            answer = _checked(Answer(orjson.loads(stored)))
            return self._learn(key, files, answer) if answer.layout is not None else None
        return None

    def _learn(self, key: str, files: Files, answer: Answer) -> Layout:
        """The layout that DVC answered; where DVC could not say, with what is plain to see."""
        if answer.layout is not None:
            layout = decode_layout(answer.layout)
            self._add_unreadable(layout, files, answer.layout["problems"])
            layout.problems += [answer.problem] if answer.problem else []
        else:
            layout = literal_layout(files, self._documents)
            layout.problems = layout.problems or [answer.problem]
        layout.is_final = answer.is_final
        if layout.is_final:
            if len(self._known) >= _MAX_LAYOUTS:
                self._known.clear()
            self._known[key] = layout
        else:
            if len(self._failed) >= _MAX_LAYOUTS:
                self._failed.clear()
            self._failed[key] = (time.monotonic(), layout)
        return layout

    def _add_unreadable(self, layout: Layout, files: Files, problems: dict[str, str]) -> None:
        """Add what is plain to see of the dvc.yaml files that DVC refuses, next to why it does."""
        told: list[str] = []
        for path, reason in problems.items():
            layout.problems = []
            if path in files.pipelines():
                add_pipeline(layout, files, self._documents, path)
            told += layout.problems or [f"{path}: {reason}"]
        layout.problems = told

    def _ask_aside(self, batch: dict[str, Files]) -> None:
        with self._lock:
            self._pending.update(batch)
            if self._asking is None:
                self._asking = threading.Thread(target=self._ask_pending, name="layouts", daemon=True)
                self._asking.start()

    def _ask_pending(self) -> None:
        while True:
            with self._lock:
                batch, self._pending = self._pending, {}
                if not batch:
                    self._asking = None
                    return
            try:
                self._ask(batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, rows must not wait for ever; they show it
                self._give_up(batch, f"DVC could not be asked where params and metrics are: {error!r}")

    def _give_up(self, batch: dict[str, Files], reason: str) -> None:
        """Answer for now what has no answer."""
        for key in batch:
            if not any(key in answered for answered in (self._known, self._answers, self._failed)):
                self._answers[key] = Answer(None, reason, is_final=False)
        self.version += 1

    def _ask(self, batch: dict[str, Files]) -> None:
        by_root: dict[Path, dict[str, str]] = {}
        for key, files in batch.items():
            root, rev = files.origin
            by_root.setdefault(root, {})[rev] = key
        for root, keys in by_root.items():

            def receive(rev: str, answer: Answer, keys: dict[str, str] = keys) -> None:
                self._take(keys[rev], batch[keys[rev]], answer)

            self._resolver.ask(root, list(keys), receive)

    def _take(self, key: str, files: Files, answer: Answer) -> None:
        """Keep an answer, unless it may be about files that have changed meanwhile."""
        if isinstance(files, FolderFiles) and self._keys.of(files.again()) != key:
            return
        answer = self._answers[key] = _checked(answer)
        self.version += 1
        if answer.layout is not None and answer.is_final:
            self._cache.put(TABLE, [(key, orjson.dumps(answer.layout))])
        self._failures.keep(key, answer)


def _checked(answer: Answer) -> Answer:
    """The answer, if it can be understood."""
    if answer.layout is not None:
        try:
            decode_layout(answer.layout)
        except (LookupError, TypeError, ValueError, AttributeError):
            return replace(answer, layout=None, problem="DVC's answer cannot be understood", is_final=False)
    return answer
