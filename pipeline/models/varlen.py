"""Attention over packed rows without a mask, on CUDA: PyTorch's kernel is told where each document begins.

Read from the sources of torch 2.13, transformers 5.23 and trl 1.16. Without this, packed rows are kept apart by a mask
of [tokens, tokens], with which PyTorch cannot choose its fast kernel.
"""

from typing import Any

import torch
from torch.nn.attention import varlen
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "finetui_varlen"
_CAUSAL = (-1, 0)
_OLDEST_CAPABILITY = (8, 0)
_MAX_HEAD_DIM = 256
_DROPOUTS = ("attention_dropout", "attn_pdrop", "attn_dropout")
# What the kernel cannot do: caps on scores, heads of two sizes.
_OTHER_KINDS = ("attn_logit_softcapping", "qk_rope_head_dim", "v_head_dim")


def attend_to_documents(model: Any, device: torch.device) -> bool:
    """Let a model that is trained on packed rows use the kernel, where device and model have what it needs."""
    if not (_is_able(device) and is_plain(model.config)):
        return False
    register()
    model.set_attn_implementation(NAME)
    return bool(model.config._attn_implementation == NAME)


def register() -> None:
    """Make the implementation known to transformers."""
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, _mask)


def is_plain(config: Any) -> bool:
    """Whether every layer sees all tokens before it, with nothing that the kernel leaves out."""
    text = config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    has_window = getattr(text, "sliding_window", None) is not None and getattr(text, "use_sliding_window", True)
    if kinds != {"full_attention"} or (has_window and not getattr(text, "layer_types", None)):
        return False
    if any(getattr(text, name, None) for name in (*_DROPOUTS, *_OTHER_KINDS)):
        return False
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return bool(head_dim <= _MAX_HEAD_DIM and head_dim % 8 == 0)


def _is_able(device: torch.device) -> bool:
    return (
        device.type == "cuda"
        and torch.cuda.get_device_capability(device) >= _OLDEST_CAPABILITY
        and torch.backends.cuda.is_flash_attention_available()
    )


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of [1, heads, tokens, size] within each document; anything else as `sdpa` does it."""
    starts = options.get("cu_seq_lens_q")
    if starts is None:
        attend: Any = sdpa_attention_forward
        result: tuple[torch.Tensor, None] = attend(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
        return result
    device = query.device.type
    # Norms may have made float32 of queries and keys; the kernel knows half precision alone.
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else value.dtype
    query, key, value = (part[0].transpose(0, 1).to(dtype) for part in (query, key, value))
    longest = int(options["max_length_q"])
    output: Any = varlen.varlen_attn(
        query,
        key,
        value,
        starts,
        starts,
        longest,
        longest,
        scale=scaling,
        window_size=_CAUSAL,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return output[None], None


def _mask(*, q_length: int, kv_length: int, attention_mask: torch.Tensor | None = None, **options: Any) -> Any:
    """No mask where nothing is padded or cached: rows that lie packed come with the places of their documents."""
    if attention_mask is None and q_length == kv_length:
        return None
    return sdpa_mask(q_length=q_length, kv_length=kv_length, attention_mask=attention_mask, **options)
