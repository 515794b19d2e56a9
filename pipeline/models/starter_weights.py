"""Initial attention weights that already look for like tokens and pass on what they find.

Mimetic initialisation (Trockman and Kolter 2023, arXiv:2305.09828): queries start close to keys, the output projection
as the transpose of the value projection. Copying a name from the prompt forms in fewer steps from there.
"""

from typing import Any

import torch
from transformers import PreTrainedModel

_QUERY_NOISE = 0.3
_OUTPUT_SCALE = 0.7


@torch.no_grad()
def start_by_copying(model: PreTrainedModel) -> None:
    """Overwrite the attention weights of every layer; torch's global seed decides them."""
    config = model.config
    num_kv, size, hidden = config.num_key_value_heads, config.head_dim, config.hidden_size
    group = config.num_attention_heads // num_kv
    scale = hidden**-0.5
    layers: Any = model.base_model.layers
    for layer in layers:
        key = torch.randn(num_kv, size, hidden) * scale
        query = key.repeat_interleave(group, 0)
        query = query + _QUERY_NOISE * scale * torch.randn(query.shape)
        value = torch.stack([torch.nn.init.orthogonal_(torch.empty(size, hidden)) for _ in range(num_kv)])
        output = _OUTPUT_SCALE * value.repeat_interleave(group, 0)
        attention = layer.self_attn
        attention.q_proj.weight.copy_(query.reshape(-1, hidden))
        attention.k_proj.weight.copy_(key.reshape(-1, hidden))
        attention.v_proj.weight.copy_(value.reshape(-1, hidden))
        attention.o_proj.weight.copy_(output.reshape(-1, hidden).T)
