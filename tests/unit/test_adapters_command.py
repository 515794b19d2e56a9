"""`finetui adapters`: what is listed, and what an export writes."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.manifest import Adapter, Manifest, read_manifest
from tests.unit.store_repos import RepoBuilder, lock
from tui.__main__ import main

_PIPELINE = "stages:\n" + "".join(
    f"  {stage}:\n    cmd: x\n    outs:\n    - data/models/{stage}\n" for stage in ("train", "align", "deploy")
)


def manifest(stage: str, *adapters: tuple[str, str]) -> bytes:
    trained = tuple(Adapter(f"data/models/{owner}/adapter", method, 4_224) for owner, method in adapters)
    values = Manifest(stage, "starter", None, "data/models/base", "data/models/base", "lora", trained, 9, 9, "b" * 64)
    return json.dumps(asdict(values)).encode()


def config(**values: Any) -> bytes:
    return json.dumps({"r": 8, "peft_type": "LORA", **values}).encode()


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    """A branch whose `train` has a DoRA adapter, handed on by `align`; main, whose aligned model has two adapters."""
    builder = RepoBuilder(tmp_path / "repo")
    adapter = {"adapter/adapter_config.json": config(use_dora=True), "adapter/adapter_model.safetensors": b"w" * 1500}
    train = builder.cache_folder({"model.json": manifest("train", ("train", "lora")), **adapter})
    handed_on = builder.cache_folder({"model.json": manifest("align", ("train", "lora"))})
    tokens = json.dumps({"num_virtual_tokens": 16}).encode()
    twice = {"adapter/adapter_config.json": tokens, "adapter/adapter_model.safetensors": b"v" * 10}
    both = manifest("align", ("train", "lora"), ("align", "prompt_tuning"))
    aligned = builder.cache_folder({"model.json": both, **twice})
    first = lock({"train": {"data/models/train": train}, "align": {"data/models/align": handed_on}})
    builder.commit({"dvc.yaml": _PIPELINE, "dvc.lock": first}, branch="one")
    second = lock({"train": {"data/models/train": train}, "align": {"data/models/align": aligned}})
    builder.commit({"dvc.yaml": _PIPELINE, "dvc.lock": second})
    return builder


def run(builder: RepoBuilder, *arguments: str) -> int:
    return main(["-C", str(builder.root), "adapters", *arguments])


def test_each_adapter_is_listed_with_the_stage_that_trained_it(
    builder: RepoBuilder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(builder, "main", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["stage"], one["method"], one["rank"], one["num_virtual_tokens"]) for one in found] == [
        ("train", "dora", 8, None),
        ("align", "prompt tuning", None, 16),
    ]
    assert found[0]["num_bytes"] == 1500
    assert found[0]["num_parameters"] == 4_224
    assert found[0]["base_sha256"] == "b" * 64
    assert found[0]["files"] == ["adapter_config.json", "adapter_model.safetensors", "model.json"]
    assert run(builder, "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 3
    assert {row["rank"] for row in rows} == {"8", "16 tokens"}
    assert run(builder, "--md") == 0
    assert "| bbbbbbbbbbbb |" in capsys.readouterr().out


def test_an_export_holds_the_files_and_nothing_of_the_cache(builder: RepoBuilder, tmp_path: Path) -> None:
    target = tmp_path / "new" / "dora"
    assert run(builder, "export", "one", str(target)) == 0
    names = {"adapter_config.json", "adapter_model.safetensors", "model.json"}
    assert {path.name for path in target.iterdir()} == names
    assert read_manifest(target).weights_sha256 == "b" * 64
    assert (target / "adapter_model.safetensors").read_bytes() == b"w" * 1500
    (target / "adapter_model.safetensors").write_bytes(b"changed")
    assert run(builder, "export", "one", str(tmp_path / "again")) == 0
    assert (tmp_path / "again/adapter_model.safetensors").read_bytes() == b"w" * 1500
    assert [path.name for path in target.parent.iterdir()] == ["dora"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("export", "main", "out"), 2, "has 2 adapters: train, align; choose one: --stage"),
        (("export", "main", "out", "--stage", "align"), 0, ""),
        (("export", "main", "out", "--stage", "teacher"), 2, "has no adapter of stage teacher"),
        (("export", "main"), 2, "export needs an experiment and a folder"),
        (("export", "one", "full"), 2, "full is there already"),
        (("export", "nobody", "out"), 2, "nobody"),
    ],
)
def test_what_cannot_be_exported_is_told(
    builder: RepoBuilder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").touch()
    monkeypatch.chdir(tmp_path)
    assert run(builder, *arguments) == code
    assert said in capsys.readouterr().err
    assert (tmp_path / "out").exists() == (code == 0)


def test_weights_that_are_not_local_are_said_to_be_so(builder: RepoBuilder, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (builder.root / ".dvc/cache").rglob("*"):
        if path.is_file() and path.read_bytes() == b"w" * 1500:
            path.unlink()
    assert run(builder, "one") == 0
    assert "not local" in capsys.readouterr().out
    assert run(builder, "export", "one", "out") == 1
    assert "dvc pull" in capsys.readouterr().err


def test_a_listing_cannot_lead_out_of_the_folder(builder: RepoBuilder, tmp_path: Path) -> None:
    hostile = {
        "adapter/adapter_config.json": config(),
        "adapter/adapter_model.safetensors": b"w",
        "adapter/../../x": b"!",
    }
    train = builder.cache_folder({"model.json": manifest("train", ("train", "lora")), **hostile})
    builder.commit({"dvc.lock": lock({"train": {"data/models/train": train}})})
    assert run(builder, "export", "main", str(tmp_path / "deep/out")) == 0
    assert sorted(path.name for path in tmp_path.rglob("x")) == []


def test_a_broken_manifest_is_no_adapter(builder: RepoBuilder, capsys: pytest.CaptureFixture[str]) -> None:
    train = builder.cache_folder({"model.json": b'{"adapters": [{"path": 3}]}'})
    builder.commit({"dvc.lock": lock({"train": {"data/models/train": train}})})
    assert run(builder, "main") == 0
    assert "no adapters in the local cache" in capsys.readouterr().err
