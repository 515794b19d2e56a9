"""Finds the adapters of an experiment by the manifests of its models, in the DVC cache or in a folder."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from pipeline.contract import paths
from pipeline.contract.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from pipeline.contract.manifest import MANIFEST_NAME, Adapter, Manifest, read_manifest_file
from pipeline.contract.problems import StageError
from pipeline.contract.stages import STAGES
from tui.core.adapters import StoredAdapter
from tui.store.dvc_cache import DvcCache
from tui.store.layouts.dvc_files import Outs

_FAMILY = {"use_dora": "dora", "use_rslora": "rslora"}


class Place(Protocol):
    """Where the outputs of an experiment are."""

    def find(self, path: str) -> Path | None:
        """File with the content of a path in the project; None if it is not here."""

    def below(self, path: str) -> list[str]:
        """Names of the files in a folder of the project."""


class FolderPlace:
    """A work tree or clone."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, path: str) -> Path | None:
        """The file itself; nothing outside of the project."""
        target = (self._root / path).resolve()
        return target if target.is_file() and not Path(path).is_absolute() and ".." not in Path(path).parts else None

    def below(self, path: str) -> list[str]:
        """Names of the files in a folder."""
        folder = self._root / path
        if ".." in Path(path).parts or not folder.is_dir():
            return []
        return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


class CachePlace:
    """The DVC cache, as the dvc.lock of a commit knows it."""

    def __init__(self, cache: DvcCache, outs: Outs) -> None:
        self._cache, self._outs = cache, outs

    def find(self, path: str) -> Path | None:
        """The object with the content."""
        return self._cache.find(path, self._outs)

    def below(self, path: str) -> list[str]:
        """Names of the files in a folder, by the listing of the output that holds it."""
        found = []
        for out, md5 in self._outs.items():
            if md5.endswith(".dir") and (path == out or path.startswith(f"{out}/")):
                inside = f"{path.removeprefix(out).lstrip('/')}/".lstrip("/")
                names = self._cache.listing(md5)
                found += [name.removeprefix(inside) for name in names if name.startswith(inside)]
        return sorted(found)


def find_adapters(place: Place) -> list[StoredAdapter]:
    """Adapters in the order of the stages that trained them; a model that is only handed on has none of its own."""
    return [adapter for stage in STAGES for adapter in _of_stage(place, stage.name)]


def _of_stage(place: Place, stage: str) -> Iterator[StoredAdapter]:
    folder = paths.model_dir(stage).as_posix()
    found = place.find(f"{folder}/{MANIFEST_NAME}")
    if found is None:
        return
    try:
        manifest = read_manifest_file(found)
    except StageError:
        return
    for adapter in manifest.adapters:
        if str(adapter.path).startswith(f"{folder}/"):
            yield _stored(place, stage, manifest, adapter, found)


def _stored(place: Place, stage: str, manifest: Manifest, adapter: Adapter, manifest_file: Path) -> StoredAdapter:
    names = [name for name in place.below(adapter.path) if _is_inside(name)]
    files = {name: found for name in names if (found := place.find(f"{adapter.path}/{name}")) is not None}
    config = _config(files.get(ADAPTER_CONFIG))
    weights = files.get(ADAPTER_WEIGHTS)
    is_whole = len(files) == len(names) and weights is not None
    return StoredAdapter(
        stage=stage,
        path=adapter.path,
        method=_method(adapter.method, config),
        rank=_whole(config.get("r")),
        num_virtual_tokens=_whole(config.get("num_virtual_tokens")),
        num_parameters=adapter.num_parameters,
        num_bytes=weights.stat().st_size if weights is not None else None,
        base_source=manifest.base_source,
        base_sha256=manifest.weights_sha256,
        # The manifest goes along: it tells the base, and the adapters below, without which this one means nothing.
        files={**files, MANIFEST_NAME: manifest_file} if is_whole else {},
    )


def _is_inside(name: str) -> bool:
    """Whether a name stays in its folder: a listing in the cache may hold anything."""
    return not name.startswith("/") and ".." not in name.split("/")


def _config(path: Path | None) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes()) if path is not None else {}
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _method(method: str, config: dict[str, Any]) -> str:
    words = [word for name, word in _FAMILY.items() if config.get(name) is True]
    return " ".join(words) or method.replace("_", " ")


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
