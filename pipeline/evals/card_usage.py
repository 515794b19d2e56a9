"""The usage example of a model card."""

from pipeline.evals.markdown import code_block

_PLAIN = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("model"{trust})
model = AutoModelForCausalLM.from_pretrained("model", dtype="auto"{trust})
"""
_ADAPTER = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("model"{trust})
base = AutoModelForCausalLM.from_pretrained("model", dtype="auto"{trust})
model = PeftModel.from_pretrained(base, "adapter")
"""
_ANSWER = """\

messages = [{"role": "user", "content": "your question"}]
inputs = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, enable_thinking=False, return_dict=True, return_tensors="pt"
)
output = model.generate(**inputs, max_new_tokens=64, do_sample=False)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
"""


def usage(has_adapter: bool, trust_remote_code: bool) -> str:
    """Code that loads the export from inside its folder and asks it something, the way it was evaluated."""
    load = (_ADAPTER if has_adapter else _PLAIN).format(trust=", trust_remote_code=True" if trust_remote_code else "")
    return code_block(load + _ANSWER, "python")
