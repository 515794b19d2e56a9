"""DVC's configuration for a clone, and the stages as dvc.yaml declares them."""

import configparser
from pathlib import Path

import pytest

from tui.core.errors import UserError
from tui.dvc.config import cache_directory, clone_config
from tui.dvc.declared import producers, read_stages, upstream_closure


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "personal"))
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(tmp_path / "system"))
    project = tmp_path / "project"
    (project / ".dvc").mkdir(parents=True)
    return project


def _config(root: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(clone_config(root))
    return parser


def test_the_cache_of_a_plain_project(root: Path) -> None:
    config = _config(root)
    assert config["cache"]["dir"] == str(root / ".dvc/cache")
    assert config["cache"]["type"] == "reflink,hardlink,copy"
    assert config["core"]["check_update"] == "false"


@pytest.mark.parametrize(
    "place", ["project/.dvc/config.local", "project/.dvc/config", "personal/config", "system/config"]
)
def test_the_cache_may_be_set_anywhere(root: Path, place: str) -> None:
    path = root.parent / place
    path.parent.mkdir(exist_ok=True)
    path.write_text("[cache]\n    dir = ../store\n    type = symlink\n")
    assert cache_directory(root) == path.parent.parent / "store"
    assert _config(root)["cache"]["dir"] == str(path.parent.parent / "store")
    assert _config(root)["cache"].get("type") in {"symlink", None}


def test_the_strongest_file_wins(root: Path) -> None:
    (root / ".dvc/config").write_text("[cache]\n    dir = ../weak\n")
    (root / ".dvc/config.local").write_text("[cache]\n    dir = /strong\n")
    assert cache_directory(root) == Path("/strong")


def test_remotes_are_found_from_the_clone(root: Path) -> None:
    (root / ".dvc/config").write_text(
        "['remote \"near\"']\n    url = ../../near\n['remote \"far\"']\n    url = s3://bucket/x\n"
        "['remote \"abs\"']\n    url = /abs\n"
    )
    (root / ".dvc/config.local").write_text("['remote \"far\"']\n    access_key_id = KEY%1\n")
    config = _config(root)
    assert config["'remote \"near\"'"]["url"] == str(root.parent / "near")
    assert dict(config["'remote \"far\"'"]) == {"access_key_id": "KEY%1"}
    assert not config.has_section("'remote \"abs\"'")


def test_a_broken_configuration_is_reported(root: Path) -> None:
    (root / ".dvc/config").write_text("cache = \n[")
    with pytest.raises(UserError, match=r"configuration does not parse.*\.dvc/config"):
        clone_config(root)


_PIPELINE = """
stages:
  score:
    cmd: score
    wdir: work
    deps: [../models/a, in.txt]
    params:
      - alpha
      - beta.gamma
      - other.yaml:
      - more.json: [x]
    metrics:
      - m.json: {cache: false}
    plots:
      - p.csv
  fit:
    cmd: [one, two]
    deps: [data/x.csv]
    outs:
      - models
      - note.txt: {cache: false, persist: true}
  each:
    foreach: [a, b]
    do: {cmd: "x ${item}"}
  freeze: {cmd: x, deps: [note.txt], frozen: true}
  always: {cmd: x}
"""


def test_stages_are_read_as_dvc_reads_them(root: Path) -> None:
    (root / "dvc.yaml").write_text(_PIPELINE)
    stages = read_stages(root)
    by_name = {stage.name: stage for stage in stages}
    assert [stage.name for stage in stages] == ["fit", "score", "each", "freeze", "always"]
    score, fit = by_name["score"], by_name["fit"]
    assert score.deps == ("models/a", "work/in.txt")
    assert score.params == {
        "work/params.yaml": ("alpha", "beta.gamma"),
        "work/other.yaml": (),
        "work/more.json": ("x",),
    }
    assert [(out.path, out.is_cached) for out in score.outputs] == [("work/m.json", False), ("work/p.csv", True)]
    assert fit.commands == ("one", "two")
    assert [(out.path, out.is_cached) for out in fit.outputs] == [("models", True), ("note.txt", False)]
    assert [stage.name for stage in stages if stage.is_templated] == ["each"]
    assert by_name["freeze"].is_frozen
    assert by_name["always"].always_runs
    assert producers(score, stages) == ["fit"]
    assert [stage.name for stage in upstream_closure(stages, ["freeze"])] == ["fit", "freeze"]


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("deps: 5", "deps"),
        ("deps: foo", "deps"),
        ("params: 5", "params"),
        ("params: [{other.yaml: 5}]", "params of other.yaml"),
        ("outs: 3", "outs"),
        ("metrics: {a: b}", "metrics"),
        ("plots: p.csv", "plots"),
    ],
)
def test_a_section_that_is_no_list_is_told(root: Path, text: str, section: str) -> None:
    (root / "dvc.yaml").write_text(f"stages:\n  fit:\n    cmd: x\n    {text}\n")
    with pytest.raises(UserError) as caught:
        read_stages(root)
    assert caught.value.detail == f"stage fit: {section} must be a list"
    assert "dvc.yaml" in caught.value.title


def test_a_cycle_does_not_hang(root: Path) -> None:
    (root / "dvc.yaml").write_text(
        "stages:\n  a: {cmd: x, deps: [b], outs: [a]}\n  b: {cmd: x, deps: [a], outs: [b]}\n"
    )
    assert [stage.name for stage in read_stages(root)] == ["a", "b"]
