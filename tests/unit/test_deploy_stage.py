"""The deploy stage on tiny random models; the export is asked in this process unless a test is about the fresh one."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_project
import torch
import yaml
from safetensors.torch import load_file

from pipeline.contract import paths
from pipeline.contract.files import write_json
from pipeline.contract.manifest import Manifest, read_manifest
from pipeline.contract.params import Deploy, Evaluate, Params
from pipeline.contract.problems import StageError
from pipeline.evals import probe
from pipeline.evals.checksums import SUMS_NAME
from pipeline.evals.load_back import ProbeRequest
from pipeline.evals.parity import ProbeAnswer
from pipeline.models.chat import encode_prompt
from pipeline.stages import deploy

PARAMS = Params(evaluate=Evaluate(max_new_tokens=8))
DEPLOYED = paths.model_dir("deploy")
METHODS: dict[str, Callable[[Manifest], Manifest]] = {
    "base": tiny_project.write_untouched,
    "full": tiny_project.write_full,
    "lora": tiny_project.write_lora,
    "ia3": tiny_project.write_ia3,
    "prompt_tuning": tiny_project.write_prompt_tuning,
    "prefix_tuning": tiny_project.write_prefix_tuning,
    "p_tuning": tiny_project.write_p_tuning,
}
SOFT_PROMPTS = {"prompt_tuning", "prefix_tuning", "p_tuning"}


def ask_here(directory: Path, request: ProbeRequest, on_answer: Callable[[], None]) -> list[ProbeAnswer]:
    """What the program does, without the cost of a process."""
    model, tokenizer = probe.load(directory, request.device, request.trust_remote_code)
    answers = []
    for prompt in request.prompts:
        prompt_ids = encode_prompt(tokenizer, prompt)
        answers.append(ProbeAnswer(prompt_ids, *probe.answer(model, prompt_ids, request.max_new_tokens)))
        on_answer()
    return answers


def forget_the_adapter(model: Any, dtype: torch.dtype | None) -> Any:
    """A merge gone wrong: the base model alone."""
    return model.unload().to(dtype)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.chdir(tmp_path)
    if "fresh_process" not in request.fixturenames:
        monkeypatch.setattr(deploy, "ask_export", ask_here)
    tiny_project.write_test_split()
    write_json(paths.DATA_REPORT, {"source": "/home/secret|place/rows_1.jsonl", "splits": {"test": {"num_rows": 5}}})
    write_json(
        paths.metrics_dir("evaluate") / "metrics.json",
        {"test/exact_match": 0.8125, "base/exact_match": 0.03125, "test/num_examples": 5, "test/loss": None},
    )
    write_json(
        paths.metrics_dir("evaluate") / paths.CATEGORIES_NAME,
        {"category": {"<b>x|y\n# z": {"exact_match": 0.5, "chrf": 77.5, "num_examples": 5, "base_exact_match": 0.0}}},
    )


@pytest.fixture
def fresh_process() -> None:
    """The export is asked in a process of its own."""


def run(method: str, params: Params = PARAMS) -> dict[str, Any]:
    METHODS[method](tiny_project.write_base())
    deploy.run(params)
    metrics: dict[str, Any] = json.loads((paths.metrics_dir("deploy") / "metrics.json").read_text())
    return metrics


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_as_before(method: str) -> None:
    metrics = run(method)
    assert metrics["deploy/num_equal"] == metrics["deploy/num_probes"] == len(tiny_project.ROWS)
    assert metrics["deploy/max_logit_difference"] < 1e-4
    manifest = read_manifest(DEPLOYED)
    assert manifest.method == method
    assert [adapter.method for adapter in manifest.adapters] == ([method] if method in SOFT_PROMPTS else [])
    assert (DEPLOYED / probe.ADAPTER).is_dir() == (method in SOFT_PROMPTS)


def test_merging_is_the_sum_of_base_and_update() -> None:
    run("lora")
    layer = "model.layers.1.self_attn.q_proj"
    adapter = load_file(paths.model_dir("train") / "adapter" / "adapter_model.safetensors")
    up, down = (adapter[f"base_model.model.{layer}.lora_{side}.weight"] for side in "BA")
    base = load_file(paths.model_dir("base") / "model.safetensors")[f"{layer}.weight"]
    merged = load_file(DEPLOYED / "model" / "model.safetensors")[f"{layer}.weight"]
    scale = 8 / 4
    assert torch.allclose(merged, base + scale * up @ down, atol=1e-6)
    assert not torch.allclose(merged, base, atol=1e-2)


def test_bfloat16_rounds_the_merged_weights_once() -> None:
    exact = run("lora") and load_file(DEPLOYED / "model" / "model.safetensors")
    run("lora", Params(deploy=Deploy(dtype="bfloat16", max_changed_fraction=1.0), evaluate=Evaluate(max_new_tokens=8)))
    rounded = load_file(DEPLOYED / "model" / "model.safetensors")
    assert {tensor.dtype for tensor in rounded.values()} == {torch.bfloat16}
    assert all(torch.equal(rounded[name], tensor.to(torch.bfloat16)) for name, tensor in exact.items())


def test_a_wrong_merge_is_not_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "merge_adapter", forget_the_adapter)
    with pytest.raises(StageError, match=r"answers \d of 5 probes differently \(probe 0, token \d of the answer: \d+ "):
        run("lora")
    assert not (DEPLOYED / "model.json").exists()
    record = json.loads((paths.metrics_dir("deploy") / paths.RUN_RECORD_NAME).read_text())
    assert record["status"] == "failed"
    assert "probes differently" in record["error"]


def test_a_changed_chat_template_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    save = deploy.save_model

    def save_with_other_template(model: Any, loaded: Any, stop_ids: list[int], directory: Path) -> None:
        save(model, loaded, stop_ids, directory)
        template = directory / "chat_template.jinja"
        template.write_text(template.read_text().replace("assistant\\n", "helper\\n"))

    monkeypatch.setattr(deploy, "save_model", save_with_other_template)
    with pytest.raises(StageError, match=r"5 of 5 probes differently \(probe 0, token \d+ of the prompt"):
        run("base")


def test_some_changed_answers_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "merge_adapter", forget_the_adapter)
    metrics = run("lora", Params(deploy=Deploy(max_changed_fraction=1.0), evaluate=Evaluate(max_new_tokens=8)))
    assert metrics["deploy/num_equal"] < metrics["deploy/num_probes"]
    assert metrics["deploy/max_logit_difference"] > 0.1


@pytest.mark.parametrize("method", ["lora", "prompt_tuning"])
def test_equal_inputs_give_equal_bytes(method: str) -> None:
    run(method)
    first = {path: path.read_bytes() for path in DEPLOYED.rglob("*") if path.is_file()}
    (DEPLOYED / "left over").write_text("from another run")
    run(method)
    assert {path: path.read_bytes() for path in DEPLOYED.rglob("*") if path.is_file()} == first


def test_too_little_device_memory_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(*given: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(deploy, "answer_probes", run_out)
    with pytest.raises(StageError, match=r"too little memory for this export; lower evaluate\.max_new_tokens, or set"):
        run("base")


def test_checksums_cover_every_file() -> None:
    run("prompt_tuning")
    lines = [line.split("  ", 1) for line in (DEPLOYED / SUMS_NAME).read_text().splitlines()]
    files = {path.relative_to(DEPLOYED).as_posix() for path in DEPLOYED.rglob("*") if path.is_file()} - {SUMS_NAME}
    assert {name for _, name in lines} == files
    assert "adapter/adapter_model.safetensors" in files
    assert all(hashlib.sha256((DEPLOYED / name).read_bytes()).hexdigest() == digest for digest, name in lines)


def test_the_card_tells_the_metrics_and_neutralises_the_data() -> None:
    run("lora")
    card = (DEPLOYED / "README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["library_name"] == "transformers"
    assert front["model-index"][0]["results"][0]["metrics"][0] == {
        "type": "exact_match",
        "value": 0.8125,
        "name": "share of answers equal to the reference after normalisation",
    }
    assert "| 0.8125 | 0.0312 | higher |" in card
    assert r"| \<b\>x\|y \# z | 5 | 0.5000 | 0.0000 | 77.5000 |" in card
    assert "answered 5 of 5 probe prompts" in card
    assert "target_modules: all-linear" in card
    assert "num_virtual_tokens" not in card


def test_an_export_names_no_folder_of_this_machine() -> None:
    run("prompt_tuning")
    texts = [path.read_text() for path in DEPLOYED.rglob("*") if path.suffix in {".json", ".md", ".jinja"}]
    assert len(texts) > 5
    assert not any(word in text for text in texts for word in (str(Path.cwd()), "secret", "data/models/base"))


@pytest.mark.parametrize("file", [paths.DATA_REPORT, paths.metrics_dir("evaluate") / paths.CATEGORIES_NAME])
def test_what_is_missing_is_named(file: Path) -> None:
    file.unlink()
    with pytest.raises(StageError, match=rf"{file}: no such file; .*dvc repro"):
        run("base")


def test_progress_counts_the_answers_of_both_sides() -> None:
    run("base")
    record = json.loads((paths.metrics_dir("deploy") / paths.RUN_RECORD_NAME).read_text())
    assert (record["step"], record["num_steps"], record["status"]) == (10, 10, "done")


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_process")
@pytest.mark.parametrize("method", ["lora", "prompt_tuning", "prefix_tuning", "p_tuning"])
def test_a_fresh_process_answers_as_before(method: str) -> None:
    metrics = run(method)
    assert metrics["deploy/num_equal"] == len(tiny_project.ROWS)
    assert metrics["deploy/max_logit_difference"] < 1e-4


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_process")
def test_an_export_that_does_not_load_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def save_damaged(model: Any, loaded: Any, stop_ids: list[int], directory: Path) -> None:
        save(model, loaded, stop_ids, directory)
        (directory / "tokenizer.json").write_text("{}")

    save = deploy.save_model
    monkeypatch.setattr(deploy, "save_model", save_damaged)
    with pytest.raises(StageError, match=r"does not load or answer in a fresh process \(exit code 1\): \w+Error: "):
        run("base")
