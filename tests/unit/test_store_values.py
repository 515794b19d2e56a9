"""Params and metrics: which files, which values, from Git or from the DVC cache."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.yaml12 import load_yaml
from tests.unit.store_repos import Content, RepoBuilder, lock
from tui.core.experiments import Experiment
from tui.store import GitStore
from tui.store.dvc_cache import DvcCache
from tui.store.layouts.dvc_files import Locked, parse_lock
from tui.store.parsing.documents import Documents, parse
from tui.store.parsing.plain_yaml import load_plain_yaml


def read(root: Path, files: Mapping[str, Content]) -> Experiment:
    """The row of a commit with these files."""
    builder = RepoBuilder(root / "repo")
    builder.commit(files)
    return GitStore(builder.root).resolve("HEAD")


def stage(text: str) -> str:
    return "stages:\n  s:\n    cmd: x\n" + "".join(f"    {line}\n" for line in text.splitlines())


def test_stages_say_which_params_and_metrics_there_are(tmp_path: Path) -> None:
    pipeline = stage(
        "wdir: work\nparams:\n- a.b\n- other.toml:\n  - x.y\n  - z\n- whole.json:\n"
        "metrics:\n- m.yaml\n- n.json:\n    cache: false"
    )
    row = read(
        tmp_path,
        {
            "dvc.yaml": pipeline,
            "params.yaml": "kept: 1\n",
            "work/params.yaml": "a: {b: 1, c: 2}\nd: 3\n",
            "work/other.toml": "z = true\n[x]\ny = 1.5\nw = 2\n",
            "work/whole.json": {"p": [1, {"q": None}]},
            "work/m.yaml": "acc: 0.5\nlist: [1]\nnothing: null\nempty: {}\nname: ok\nflag: yes\non: true\n",
            "work/n.json": '{"deep": {"loss": 1e-5}}',
        },
    )
    assert row.params == {
        "params.yaml": {"kept": 1},
        "work/params.yaml": {"a": {"b": 1}},
        "work/other.toml": {"x": {"y": 1.5}, "z": True},
        "work/whole.json": {"p": [1, {"q": None}]},
    }
    assert row.metrics == {
        "work/m.yaml": {"acc": 0.5, "name": "ok", "flag": "yes", "on": True},
        "work/n.json": {"deep": {"loss": 1e-5}},
    }
    assert (row.error, row.missing) == (None, ())


def test_several_pipelines_and_top_level_entries(tmp_path: Path) -> None:
    row = read(
        tmp_path,
        {
            "dvc.yaml": "params:\n- conf/top.yaml\nmetrics:\n- live/metrics.json\n",
            "conf/top.yaml": "x: 1\n",
            "live/metrics.json": {"acc": 1},
            "sub/deep/dvc.yaml": stage("metrics:\n- scores:\n    cache: false"),
            "sub/deep/scores/a.json": {"a": 1},
            "sub/deep/scores/more/b.json": {"b": 2},
        },
    )
    assert row.params == {"conf/top.yaml": {"x": 1}}
    assert row.metrics == {
        "live/metrics.json": {"acc": 1},
        "sub/deep/scores/a.json": {"a": 1},
        "sub/deep/scores/more/b.json": {"b": 2},
    }


@pytest.mark.parametrize(("one", "two"), [("[x]", ""), ("", "[x]")])
def test_a_file_that_one_stage_tracks_whole_is_whole(tmp_path: Path, one: str, two: str) -> None:
    stages = (f"  {name}:\n    cmd: x\n    params: [{{c.yaml: {keys}}}]\n" for name, keys in (("a", one), ("b", two)))
    pipeline = "stages:\n" + "".join(stages)
    assert read(tmp_path, {"dvc.yaml": pipeline, "c.yaml": "x: 1\ny: 2\n"}).params == {"c.yaml": {"x": 1, "y": 2}}


def test_templates_are_resolved_from_params_and_vars(tmp_path: Path) -> None:
    pipeline = (
        "vars:\n- conf.yaml:langs\n- suffix: v2\n"
        "stages:\n"
        "  one:\n    cmd: x ${where.dir}\n    wdir: ${where.dir}\n"
        "    metrics:\n    - m-${suffix}-${where.list[1]}.json\n"
        "  each:\n    foreach: ${langs}\n    do:\n      cmd: x\n      metrics:\n      - each-${item}.json\n"
        "  named:\n    foreach: {k: {n: 7}}\n    do:\n      cmd: x\n      metrics:\n      - ${key}-${item.n}.json\n"
        "  grid:\n    matrix:\n      a: ${langs}\n      b: [1, 2]\n    cmd: x\n"
        "    metrics:\n    - ${item.a}${item.b}.json\n"
    )
    wanted = [
        "w/m-v2-q.json",
        "each-en.json",
        "each-de.json",
        "k-7.json",
        "en1.json",
        "en2.json",
        "de1.json",
        "de2.json",
    ]
    files: dict[str, Content] = {path: {"n": index} for index, path in enumerate(wanted)}
    row = read(
        tmp_path,
        {
            "dvc.yaml": pipeline,
            "params.yaml": "where: {dir: w, list: [p, q]}\n",
            "conf.yaml": "langs: [en, de]\nother: 1\n",
            **files,
        },
    )
    assert row.metrics == {path: {"n": index} for index, path in enumerate(wanted)}
    assert row.error is None


def test_the_same_pipeline_with_other_variables_is_another_layout(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    files: dict[str, Content] = {"a.json": {"n": 1}, "b.json": {"n": 2}, "dvc.yaml": stage("metrics:\n- ${which}.json")}
    rev = builder.commit({**files, "params.yaml": "which: a\n"})
    builder.experiment("bee", rev, {"params.yaml": "which: b\n"})
    store = GitStore(builder.root)
    assert store.resolve("HEAD").metrics == {"a.json": {"n": 1}}
    assert store.resolve("bee").metrics == {"b.json": {"n": 2}}


def test_a_template_that_cannot_be_resolved_is_told(tmp_path: Path) -> None:
    row = read(tmp_path, {"dvc.yaml": stage("metrics:\n- ${nowhere.x}.json"), "params.yaml": "a: 1\n"})
    assert row.error == "dvc.yaml: failed to parse 'stages.s.metrics' in 'dvc.yaml': Could not find 'nowhere.x'"
    assert row.params == {"params.yaml": {"a": 1}}


def test_cached_metrics_come_from_the_dvc_cache(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    md5, folder = builder.cache(b'{"acc": 0.5}'), builder.cache_folder({"x/y.json": b'{"n": 1}'})
    builder.commit(
        {
            "dvc.yaml": stage("metrics:\n- m.json\n- dir\n- gone.json"),
            "dvc.lock": lock({"s": {"m.json": md5, "dir": folder, "gone.json": "f" * 32}}),
        }
    )
    store = GitStore(builder.root)
    row = store.resolve("HEAD")
    assert row.metrics == {"m.json": {"acc": 0.5}, "dir/x/y.json": {"n": 1}}
    assert row.missing == ("gone.json",)
    assert row.error is None


def test_a_cached_metric_that_arrives_later_is_shown(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    md5 = builder.cache(b'{"acc": 0.5}')
    place = builder.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    content = place.read_bytes()
    place.unlink()
    builder.commit({"dvc.yaml": stage("metrics:\n- m.json"), "dvc.lock": lock({"s": {"m.json": md5}})})
    store = GitStore(builder.root)
    assert store.experiments()[1].missing == ("m.json",)
    place.write_bytes(content)
    assert store.experiments()[1].metrics == {"m.json": {"acc": 0.5}}


@pytest.mark.parametrize("name", ["config", "config.local", "config of the user"])
def test_the_cache_may_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    md5 = builder.cache(b'{"acc": 0.5}')
    (builder.root / ".dvc/cache").rename(tmp_path / "shared")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(home))
    place = home / "config" if name.endswith("user") else builder.root / ".dvc" / name
    folder = "../shared" if name.endswith("user") else "../../shared"
    place.write_text(f"[core]\n    analytics = false\n[cache]\n    dir = {folder} # shared\n")
    builder.commit({"dvc.yaml": stage("metrics:\n- m.json"), "dvc.lock": lock({"s": {"m.json": md5}})})
    assert GitStore(builder.root).resolve("HEAD").metrics == {"m.json": {"acc": 0.5}}


@pytest.mark.parametrize(
    ("config", "personal"),
    [
        ("[cache]\n    local = here\n    dir = ../nowhere\n['remote \"here\"']\n    url = ../../shared\n", ""),
        ("[cache]\n    dir = ../nowhere\n['remote \"here\"']\n    url = ../../shared\n", "[cache]\n    local = here\n"),
        ("[cache]\nlocal = Here\n", "['remote \"here\"']\nurl = ../shared\n['remote \"other\"']\nurl = ../nowhere\n"),
    ],
)
def test_the_cache_may_be_a_remote_that_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, personal: str
) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    md5 = builder.cache(b'{"acc": 0.5}')
    (builder.root / ".dvc/cache").rename(tmp_path / "shared")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/config").write_text(personal)
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "home"))
    (builder.root / ".dvc/config").write_text(config)
    builder.commit({"dvc.yaml": stage("metrics:\n- m.json"), "dvc.lock": lock({"s": {"m.json": md5}})})
    assert GitStore(builder.root).resolve("HEAD").metrics == {"m.json": {"acc": 0.5}}


@pytest.mark.parametrize(
    "config",
    [
        "[cache]\n    local = gone\n",
        "[cache]\nlocal = far\n['remote \"far\"']\nurl = s3://x/y\n",
        "dir = ../nowhere\n[cache]\ndir = ../nowhere\n",
    ],
)
def test_a_cache_that_is_a_remote_elsewhere_is_not_followed(tmp_path: Path, config: str) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    md5 = builder.cache(b'{"acc": 0.5}')
    (builder.root / ".dvc/config").write_text(config)
    assert DvcCache(builder.root, Documents()).has(md5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ('{"loss": 0.', "does not parse as JSON"),
        ("[" * 300 + "]" * 300, "nested more than 100 levels deep"),
    ],
)
def test_a_broken_metrics_file_is_an_error_of_its_row(tmp_path: Path, text: str, reason: str) -> None:
    row = read(
        tmp_path, {"dvc.yaml": stage("metrics:\n- m.json:\n    cache: false"), "m.json": text, "params.yaml": "a: 1\n"}
    )
    assert reason in (row.error or "")
    assert (row.error or "").startswith("m.json: ")
    assert row.params == {"params.yaml": {"a": 1}}


@pytest.mark.parametrize("pipeline", ["stages: [", "- a list", "stages: 3", "stages:\n  a: 1\n", "\xff\x00"])
def test_a_broken_pipeline_is_an_error_of_its_row(tmp_path: Path, pipeline: str) -> None:
    row = read(tmp_path, {"dvc.yaml": pipeline.encode("latin-1"), "params.yaml": "a: 1\n"})
    assert (row.error or "").startswith("dvc.yaml: ")
    assert row.params == {"params.yaml": {"a": 1}}


def test_paths_outside_of_the_project_are_never_opened(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text('{"n": 1}')
    builder = RepoBuilder(tmp_path / "repo")
    outside = f"{tmp_path}/secret.json"
    builder.write({"dvc.yaml": stage(f"metrics:\n- ../secret.json\n- {outside}\nparams:\n- ../secret.json:\n  - n")})
    row = GitStore(builder.root).experiments()[0]
    assert (row.metrics, row.params) == ({}, {})
    assert set(row.missing) == {"../secret.json"}


def test_a_lock_that_is_laid_out_otherwise_says_the_same() -> None:
    plain = lock({"a": {"x.json": "1" * 32}, "b@1": {"d": "2" * 32 + ".dir", "e f.json": "3" * 32}})
    deps: dict[str, str | Mapping[str, Any]] = {"code.py": "a" * 32}
    wanted = {
        "a": Locked(deps, {"x.json": "1" * 32}),
        "b@1": Locked(deps, {"d": "2" * 32 + ".dir", "e f.json": "3" * 32}),
    }
    assert parse_lock("dvc.lock", plain.encode()) == wanted
    assert parse_lock("dvc.lock", plain.replace("path: x.json", "path: 'x.json'").encode()) == wanted


_SCALARS = """a b-c x_1 true no null 1 -2 1e-5 1e5 0.5 .5 1_000 0x1f 017 -.inf 2024-01-02 12:30 ~ 1.0e-05 .nan a/b key
... - --- << = +1 0b11 1. 0x -_ 1e 1e+ _ . .. 0o7 -0 -.5 +.5"""
WORDS = st.sampled_from(_SCALARS.split())
FLOWS = st.lists(WORDS, max_size=3).map(lambda words: f" [{', '.join(words)}]")
LEAVES = (
    WORDS.map(lambda word: f" {word}")
    | FLOWS
    | st.sampled_from(["", " # text", " 1 # text", " 1# text", " [a,b] # text", " [a,, b]", " [[a]]", " 'q'", " |"])
)
NOISE = st.sampled_from(
    ["", "  ", "# text", "\t", "key", "  - 1", "a: b: c", "  a: 1", "...", "---", "? a", "\x85", "a:  1"]
)


def lines_of(tree: Any, indent: int) -> Iterator[str]:
    """Lines of a nested mapping, list or leaf."""
    for key, value in tree.items():
        if isinstance(value, str):
            yield f"{' ' * indent}{key}:{value}"
        elif isinstance(value, list):
            yield f"{' ' * indent}{key}:"
            yield from (f"{' ' * (indent + 2)}-{item}" for item in value)
        else:
            yield f"{' ' * indent}{key}:"
            yield from lines_of(value, indent + 2)


KEYS = WORDS | st.sampled_from(["alpha", "beta", "gamma", "delta"])
TREES = st.recursive(
    LEAVES | st.lists(LEAVES, max_size=3), lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
).filter(lambda tree: isinstance(tree, dict))


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document as people write them, now and then with a line that is odd there."""
    lines = list(lines_of(draw(TREES), 0))
    if draw(st.integers(0, 3)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), draw(NOISE))
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\r\n"]))


@settings(max_examples=300, deadline=None)
@given(documents())
def test_the_fast_path_reads_what_the_real_parser_reads(text: str) -> None:
    fast = load_plain_yaml(text.encode())
    if fast is not None:
        assert repr(fast) == repr(load_yaml(text))


def test_the_template_takes_the_fast_path() -> None:
    from tests.unit.store_repos import TEMPLATE

    data = (TEMPLATE / "params.yaml").read_bytes()
    assert load_plain_yaml(data) == load_yaml(data)


def test_dates_are_text() -> None:
    assert parse("p.yaml", b"day: 2024-01-02\nlist: [2024-01-02]\n") == {"day": "2024-01-02", "list": ["2024-01-02"]}


def test_values_of_any_kind_are_read_without_raising(tmp_path: Path) -> None:
    names: Any = {f"metric {i} 'quoted' \"and\" \n \x1b[31m": i for i in range(500)}
    row = read(tmp_path, {"dvc.yaml": stage("metrics:\n- m.json:\n    cache: false"), "m.json": names})
    assert row.metrics == {"m.json": names}
