"""Data sets of the hub; the download itself is replaced, everything behind it is real."""

from pathlib import Path
from typing import Any

import pytest
from prepare_project import pairs, prepare_params

from pipeline.contract.problems import StageError
from pipeline.data.hub import load_hub_frame
from pipeline.data.sources import read_source

datasets = pytest.importorskip("datasets")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    seen: list[tuple[Any, ...]] = []

    def load(identifier: str, **options: Any) -> Any:
        seen.append((identifier, options))
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        return datasets.Dataset.from_list([{**pair, "turns": turns} for pair in pairs(5)])

    monkeypatch.setattr(datasets, "load_dataset", load)
    return seen


def test_rows_come_with_numbers_and_plain_values(calls: list[tuple[Any, ...]]) -> None:
    hub = {"config": "main", "split": "test", "revision": "abc"}
    source = read_source(prepare_params("hub:owner/name", hub=hub, max_rows=3).prepare)
    assert calls == [("owner/name", {"name": "main", "split": "test", "revision": "abc"})]
    assert [(row.file, row.line) for row in source.rows] == [("hub:owner/name", line) for line in (1, 2, 3)]
    assert source.rows[2].columns["prompt"] == "say 2"
    assert source.rows[2].columns["turns"][1] == {"role": "assistant", "content": "b"}


@pytest.mark.parametrize("identifier", ["", "../data", "a/b/c", "https://x/y", "owner/"])
def test_what_is_no_id_is_refused_before_anything_is_loaded(identifier: str, calls: list[tuple[Any, ...]]) -> None:
    with pytest.raises(StageError, match="comes an id such as owner/name"):
        load_hub_frame(prepare_params(f"hub:{identifier}").prepare)
    assert calls == []


def test_an_id_that_is_also_a_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[tuple[Any, ...]]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/raw").mkdir(parents=True)
    with pytest.raises(StageError, match="data/raw is also a local path"):
        load_hub_frame(prepare_params("hub:data/raw").prepare)
    assert calls == []


ERRORS = [
    ConnectionError("Couldn't reach 'owner/name' on the Hub (OfflineModeIsEnabled)"),
    datasets.exceptions.DatasetNotFoundError("Dataset 'owner/name' doesn't exist on the Hub"),
    ValueError("BuilderConfig 'x' not found. Available: ['main']"),
    RuntimeError("Dataset scripts are no longer supported, but found name.py"),
    datasets.exceptions.DatasetGenerationError("An error occurred while generating the dataset"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_cannot_be_loaded_says_why_and_what_to_do(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(identifier: str, **options: Any) -> Any:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(StageError) as caught:
        load_hub_frame(prepare_params("hub:owner/name", hub={"config": "x"}).prepare)
    text = str(caught.value)
    assert text.startswith("hub:owner/name (config x, split train, revision newest) cannot be loaded: ")
    assert str(error) in text
    assert "prepare.hub.*" in text


def test_without_a_network_the_real_library_gives_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(StageError, match="cannot be loaded: Couldn't reach 'no-such-owner/no-such-name'"):
        load_hub_frame(prepare_params("hub:no-such-owner/no-such-name").prepare)
