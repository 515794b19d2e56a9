"""A program: answers probe prompts with an exported model, loaded as any user of transformers and peft loads it.

    python -m pipeline.evals.probe DEPLOY_DIR < request.json

The request is a ProbeRequest of pipeline.evals.load_back, and `logits`, the file to write logits to. Each answer is one
JSON line on standard output.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.models.chat import encode_prompt
from pipeline.models.generation import Decoding, plain_decoding
from pipeline.models.quiet import quiet_libraries
from pipeline.models.seeding import make_deterministic

MODEL = "model"
ADAPTER = "adapter"
LOGITS = "logits"


def main() -> None:
    """Answer the request on standard input."""
    quiet_libraries()
    request = json.load(sys.stdin)
    make_deterministic(0, request["num_parameters"])
    model, tokenizer = load(Path(sys.argv[1]), request["device"], request["trust_remote_code"])
    logits = []
    for prompt in request["prompts"]:
        prompt_ids = encode_prompt(tokenizer, prompt)
        answer_ids, first_logits = answer(model, prompt_ids, request["max_new_tokens"])
        logits.append(first_logits)
        sys.stdout.write(json.dumps({"prompt_ids": prompt_ids, "answer_ids": answer_ids}) + "\n")
        sys.stdout.flush()
    save_file({LOGITS: torch.stack(logits)}, request["logits"])


def load(directory: Path, device: str, trust_remote_code: bool) -> tuple[Any, Any]:
    """Model and tokenizer of an export, with nothing but the libraries' own loaders."""
    trust: dict[str, Any] = {"trust_remote_code": trust_remote_code, "local_files_only": True}
    auto: Any = AutoModelForCausalLM
    model = auto.from_pretrained(directory / MODEL, dtype="auto", **trust)
    if (directory / ADAPTER).is_dir():
        model = PeftModel.from_pretrained(model, str(directory / ADAPTER))
    return model.to(device).eval(), AutoTokenizer.from_pretrained(directory / MODEL, **trust)


@torch.inference_mode()
def answer(model: Any, prompt_ids: list[int], max_new_tokens: int) -> tuple[list[int], torch.Tensor]:
    """Greedy answer that ends where the export's own generation config says so, and the logits of its first token."""
    ids = torch.tensor([prompt_ids], device=model.device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    logits = model(**inputs).logits[0, -1].float().cpu()
    shipped = model.generation_config
    config = Decoding(max_new_tokens, shipped.eos_token_id, shipped.pad_token_id).config()
    with plain_decoding(model):
        sequence = model.generate(**inputs, generation_config=config)[0]
    return sequence[len(prompt_ids) :].tolist(), logits


if __name__ == "__main__":
    main()
