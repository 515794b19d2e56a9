"""Ways of DVC to declare params, metrics, deps and outs, one at a time; tests/contract has them beside DVC itself."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dpath
import pytest
from dpath.exceptions import FilteredValue, InvalidGlob, InvalidKeyName, PathNotFound
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.store_repos import Content, RepoBuilder, lock
from tui.core.experiments import Experiment
from tui.store import GitStore
from tui.store.git.files import FolderFiles
from tui.store.parsing.documents import BadDocumentError, Documents, parse, parse_document, parse_metrics
from tui.store.parsing.selection import pick, select

ONE = "1a" * 16
TWO = "2b" * 16


def read(root: Path, files: Mapping[str, Content]) -> Experiment:
    """The row of a commit with these files."""
    builder = RepoBuilder(root / "repo")
    builder.commit(files)
    return GitStore(builder.root).resolve("HEAD")


def test_hashes_come_from_the_lock_and_from_dvc_files(tmp_path: Path) -> None:
    pipeline = (
        "stages:\n  s:\n    cmd: x\n    deps: [code.py, data]\n    outs: [model]\n"
        "    metrics: [m.json]\n    plots: [p.csv]\n  new:\n    cmd: y\n    deps: [model]\n    outs: [late]\n"
    )
    files: dict[str, Content] = {
        "dvc.yaml": pipeline,
        "dvc.lock": lock({"s": {"model": f"{ONE}.dir", "m.json": TWO, "p.csv": TWO}}),
        "data.dvc": f"outs:\n- md5: {TWO}\n  size: 3\n  hash: md5\n  path: data\n",
    }
    row = read(tmp_path, files)
    assert row.deps == {"code.py": "a" * 32, "data": None, "model": None}
    assert row.outs == {"model": f"{ONE}.dir", "data": TWO, "late": None}
    assert row.data_sources == GitStore(tmp_path / "repo").resolve("HEAD").data_sources == ("data",)
    assert row.missing == ("m.json",)


def test_a_metric_that_was_added_by_hand_is_in_the_cache(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    md5 = builder.cache(b'{"acc": 0.5}')
    added = f"outs:\n- md5: {md5}\n  size: 12\n  hash: md5\n  path: m.json\n"
    builder.commit({"dvc.yaml": "metrics: [m.json]\n", "m.json.dvc": added})
    assert GitStore(builder.root).resolve("HEAD").metrics == {"m.json": {"acc": 0.5}}


def test_params_may_be_in_a_cached_folder(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    folder = builder.cache_folder({"p.yaml": b"a: 1\n", "deep/m.json": b'{"n": 2}'})
    pipeline = (
        "stages:\n  s: {cmd: x, outs: [out]}\nparams: [out/p.yaml]\nmetrics: [out/deep, out/gone.json]\n"  # a folder
    )
    builder.commit({"dvc.yaml": pipeline, "dvc.lock": lock({"s": {"out": folder}})})
    row = GitStore(builder.root).resolve("HEAD")
    assert row.params == {"out/p.yaml": {"a": 1}}
    assert row.metrics == {"out/deep/m.json": {"n": 2}}
    assert row.missing == ("out/gone.json",)


def test_variables_of_other_files_are_shown_as_stages_use_them(tmp_path: Path) -> None:
    pipeline = (
        "vars: [conf/a.yaml, conf/b.json:words]\nstages:\n"
        "  s: {cmd: 'x ${deep.lr} ${words[1]}', params: [lr]}\n"
        "  e: {foreach: '${langs}', do: {cmd: 'x ${item}'}}\n"
    )
    files: dict[str, Content] = {
        "dvc.yaml": pipeline,
        "params.yaml": "lr: 1\n",
        "conf/a.yaml": "deep: {lr: 0.5, other: 1}\nlangs: [en, de]\n",
        "conf/b.json": {"words": ["one", "two"], "more": 1},
    }
    row = read(tmp_path, files)
    assert row.params == {
        "params.yaml": {"lr": 1},
        "conf/a.yaml": {"deep.lr": 0.5, "langs.0": "en", "langs.1": "de"},
        "conf/b.json": {"words.1": "two"},
    }


def test_what_dvcignore_names_is_not_found_in_folders(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "dvc.yaml": "metrics: [all]\n",
        ".dvcignore": "# text\n*.skip\nhidden/\n!all/kept.skip\n",
        "all/a.json": {"n": 1},
        "all/b.skip": {"n": 2},
        "all/kept.skip": {"n": 3},
        "all/hidden/c.json": {"n": 4},
        "all/deep/.dvcignore": "d.json\n",
        "all/deep/d.json": {"n": 5},
        "all/deep/e.json": {"n": 6},
    }
    row = read(tmp_path, files)
    assert sorted(row.metrics) == ["all/a.json", "all/deep/e.json", "all/kept.skip"]


def test_a_pipeline_that_git_does_not_know_counts_in_the_workspace(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    builder.commit({"dvc.yaml": "metrics: [m.json]\n", "m.json": {"n": 1}, ".gitignore": "/secret\n"})
    builder.checkout()
    store = GitStore(builder.root)
    assert store.experiments()[0].metrics == {"m.json": {"n": 1}}
    for folder in ("new/deep", "secret", "other"):
        builder.write({f"{folder}/dvc.yaml": "metrics: [x.json]\n", f"{folder}/x.json": {"n": 2}})
    (builder.root / "other/.dvc").mkdir()
    row = store.experiments()[0]
    assert row.metrics == {"m.json": {"n": 1}, "new/deep/x.json": {"n": 2}}
    assert store.experiments()[1].metrics == {"m.json": {"n": 1}}


def test_python_params_are_literals_and_nothing_is_run() -> None:
    text = (
        b"import os\nos.abort()\nlr = 1e-3\nname: str = 'x'\nsizes = (1, 2)\ntags = {'b', 'a'}\nboth = also = 1\n"
        b"made = dict(a=1)\nneg = -1\nself = 2\nself.x = 3\nlr, wd = 1, 2\n"
        b"class Train:\n    epochs = 3\n    opts = {'a': [1]}\n    def __init__(self):\n        self.seed = 7\n"
        b"        local = 1\n    def other(self):\n        self.no = 1\n"
    )
    assert parse("p.py", text) == {
        "lr": 1e-3,
        "name": "x",
        "sizes": [1, 2],
        "tags": ["a", "b"],
        "neg": -1,
        "self": 2,
        "x": 3,
        "Train": {"epochs": 3, "opts": {"a": [1]}, "seed": 7},
    }
    with pytest.raises(BadDocumentError, match="does not parse as Python"):
        parse("p.py", b"def (")


def test_metrics_keep_what_dvc_keeps() -> None:
    found = parse_metrics("m.json", b'{"a": NaN, "b": -Infinity, "c": 123456789012345678901, "d": null, "e": [1]}')
    assert math.isnan(found.pop("a"))
    assert found == {"b": -math.inf, "c": 123456789012345678901}
    assert parse_metrics("m.yaml", b"1: one\nfalse: yes\nday: 2024-01-02\n0.5: {x: {}}\n") == {
        "1": "one",
        "false": "yes",
    }
    assert parse_metrics("m", b"0.75\n") == 0.75
    assert parse_metrics("m.json", b"[1]") == {}
    with pytest.raises(BadDocumentError):
        parse_metrics("m.json", b'\xef\xbb\xbf{"a": 1}')


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "x: {1: a, true: b}\n", "a: =\n", "a: [b\n", "- a\n---\n- b\n"])
def test_yaml_that_dvc_refuses_is_refused(text: str) -> None:
    with pytest.raises(BadDocumentError, match="does not parse as YAML"):
        parse("p.yaml", text.encode())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}\n", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("%YAML 1.1\n---\na: yes\nb: 017\n", {"a": True, "b": 15}),
        ("a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
        ("[a:, 1]\n", ["a:", 1]),
        ("a: 2024-01-02T03:04:05Z\n", {"a": "2024-01-02T03:04:05+00:00"}),
    ],
)
def test_yaml_that_dvc_reads_is_read(text: str, value: Any) -> None:
    assert parse("p.yaml", text.encode()) == value


NAMES = st.sampled_from(["a", "b", "ab", "0", "1", "x y", "a*"])
TREES = st.recursive(
    st.integers(0, 3) | st.none() | st.sampled_from(["text", ""]),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=8,
)
KEYS = st.lists(NAMES | st.sampled_from(["*", "**", "?", "[ab]", "", "2"]), min_size=1, max_size=3).map(".".join)


def dpath_says(document: Any, keys: list[str]) -> Any:
    """What DVC does with tracked keys."""
    found: dict[str, Any] = {}
    try:
        for key in dict.fromkeys(keys):
            dpath.merge(found, json.loads(json.dumps(dpath.search(document, key, separator="."))), separator=".")
    except (
        TypeError,
        ValueError,
        AttributeError,
        LookupError,
        FilteredValue,
        InvalidGlob,
        InvalidKeyName,
        PathNotFound,
    ):
        return "an error"
    return found


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(NAMES, TREES, max_size=3), st.lists(KEYS, min_size=1, max_size=3))
@example({"a": {"a": [0]}}, ["a", "a.a"])
def test_tracked_keys_are_those_of_dpath(document: dict[str, Any], keys: list[str]) -> None:
    before = json.dumps(document)
    try:
        ours = select(parse_document("p.json", before.encode()), keys)
    except BadDocumentError:
        ours = "an error"
    assert ours == dpath_says(document, keys)
    assert json.dumps(document) == before


def test_variables_are_picked_by_dotted_names() -> None:
    document = {"a": {"b": [1, {"c": 2}]}, "x.y": {"z": 3}}
    assert pick(document, ["a.b.1.c", "x.y.z", "a.b", "a.b.7", "no"]) == {
        "a.b.1.c": 2,
        "x.y.z": 3,
        "a.b": [1, {"c": 2}],
    }


def test_a_file_that_is_written_while_it_is_read_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    builder.commit({"dvc.yaml": "metrics: [m.json]\n", "m.json": {"n": 1}})
    builder.checkout()

    class Overtaken(FolderFiles):
        """Files of which one changes between two looks."""

        def read(self, path: str) -> bytes:
            builder.write({"m.json": {"n": 2}})
            return super().read(path)

    documents = Documents()
    assert documents.load(Overtaken(builder.root, ["dvc.yaml"]), "m.json") == {"n": 2}
    builder.write({"m.json": {"n": 1}})
    assert documents.load(FolderFiles(builder.root, ["dvc.yaml"]), "m.json") == {"n": 1}
