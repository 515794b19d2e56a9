"""Adapters of one base compared by their files, and asked one after the other on one loaded base."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny_project
import torch
from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model

from pipeline.contract import paths
from pipeline.contract.adapters import read_adapter
from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Base
from pipeline.contract.problems import StageError
from pipeline.evals import adapter_table, ask
from pipeline.models.answers import answer_text
from pipeline.models.chat import encode_prompt
from pipeline.models.generation import decoding_of, generate
from pipeline.models.loading import load_adapter, load_model, load_weights

CPU = torch.device("cpu")
CONFIGS: dict[str, Any] = {
    "a": LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
    "b": PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
    "c": IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"], task_type="CAUSAL_LM"),
    "d": LoraConfig(r=2, use_dora=True, use_rslora=True, target_modules="all-linear", task_type="CAUSAL_LM"),
    "e": PrefixTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM"),
}
PROMPTS = ["disk usage", "list all files"]


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    monkeypatch.chdir(tmp_path)
    manifest = tiny_project.write_base()
    for number, (name, config) in enumerate(CONFIGS.items()):
        model: Any = get_peft_model(load_weights(Path(manifest.weights), "float32", CPU), config)
        torch.manual_seed(number)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.copy_(torch.randn_like(parameter) * 0.4)
        model.save_pretrained(name)
    return manifest


def test_the_table_shows_what_the_files_hold(base: Manifest, capsys: pytest.CaptureFixture[str]) -> None:
    base.write(Path("a"))
    assert adapter_table.main(["a", "d", "c", "b"]) == 0
    first, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert first == list(adapter_table._COLUMNS)
    size = Path("a/adapter_model.safetensors").stat().st_size
    # Two layers, a query of 32 x 32 and a value of 32 x 16.
    assert rows[0][:7] == [
        "a",
        "lora",
        "4",
        "6",
        f"{2 * 4 * (32 + 32 + 32 + 16):,}",
        f"{size:,}",
        base.weights_sha256[:12],
    ]
    assert rows[0][7:] == ["q_proj,", "v_proj"]
    assert rows[1][:5] == ["d", "lora", "dora", "rslora", "2"]
    assert rows[2][:4] == ["c", "ia3", "-", "-"]
    assert rows[3][:4] == ["b", "prompt_tuning", "3", "-"]
    assert [row[-2:] for row in rows[3:]] == [["unknown", "-"]]


def test_the_table_goes_on_behind_a_folder_without_adapter(capsys: pytest.CaptureFixture[str]) -> None:
    Path("e/adapter_model.safetensors").write_bytes(b"torn")
    assert adapter_table.main(["--json", "nowhere", "e", "b"]) == 1
    shown = capsys.readouterr()
    assert [facts["path"] for facts in json.loads(shown.out)] == ["b"]
    assert "nowhere: holds no adapter" in shown.err
    assert "e: not a complete adapter" in shown.err


@pytest.mark.parametrize("content", [b"", b"torn", (2**60).to_bytes(8, "little"), (9).to_bytes(8, "little") + b"{"])
def test_a_damaged_header_is_no_adapter(content: bytes) -> None:
    Path("b/adapter_model.safetensors").write_bytes(content)
    with pytest.raises(StageError, match="b: not a complete adapter"):
        read_adapter(Path("b"))


def test_an_adapter_is_found_in_its_model_directory(base: Manifest) -> None:
    manifest = tiny_project.write_lora(base)
    facts = read_adapter(paths.model_dir("train"))
    assert (facts.path, facts.method, facts.base_sha256) == (manifest.adapters[0].path, "lora", base.weights_sha256)
    assert facts.below == ()


def test_answers_are_those_of_each_adapter_alone(base: Manifest, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever was switched on before."""
    names = list(CONFIGS)
    assert ask.main([*(f"--adapter={name}" for name in names), "--max-new-tokens=8", *PROMPTS]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if line.startswith("> ")] == [f"> {prompt}" for prompt in PROMPTS]
    found = [tuple(line.strip().split(None, 1)) for line in shown if not line.startswith("> ")]
    expected = []
    for position, prompt in enumerate(PROMPTS):
        expected += [("base", alone(base, None)[position])]
        expected += [(name, alone(base, name)[position]) for name in names]
        assert prompt
    assert found == expected
    assert len({answer for _, answer in expected}) > len(names)


def alone(base: Manifest, name: str | None) -> list[str]:
    """Answers of a model that was loaded for this adapter."""
    loaded = load_model(base, Base(), CPU)
    model = loaded.model if name is None else load_adapter(loaded.model, Path(name)).eval()
    ids = [encode_prompt(loaded.tokenizer, [{"role": "user", "content": prompt}]) for prompt in PROMPTS]
    answers = generate(model, ids, decoding_of(loaded, 8))
    return [ask._printable(answer_text(loaded.tokenizer, answer)).strip() for answer in answers]


def test_adapters_of_another_base_are_not_asked(base: Manifest, capsys: pytest.CaptureFixture[str]) -> None:
    base.write(Path("a"))
    written = json.loads(Path("a/model.json").read_text()) | {"weights_sha256": "e" * 64}
    Path("a/model.json").write_text(json.dumps(written))
    assert ask.main(["--adapter=a", "disk usage"]) == 1
    assert "ask: a was trained on another base (eeeeeeeeeeee)" in capsys.readouterr().err


def test_what_a_terminal_would_obey_is_shown_as_text() -> None:
    shown = ask.text([ask.Answer("a\x1b[2J\n", "base", "x\ny\u202e")])
    assert shown == "> a\\x1b[2J\\n\n  base  x\\ny\\u202e\n"
