"""The attention layers of a UNet, opened for extensions while they take part in a call.

A layer's processor stands aside for the length of the call and is put back after it; its projections stay the modules
that they are, so patches act as before, and layers in which nobody takes part are not touched.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from webui.sampling.attending import Attention, AttentionBlock, AttentionLayer, TakePart
from webui.sampling.steps import ModelCall
from webui.weights.blocked_attention import BlockedAttention, in_heads, keys_and_values, out_of

_KINDS = MappingProxyType({"attn1": "self", "attn2": "cross"})


def attention_layers(unet: Any) -> dict[str, AttentionLayer]:
    """The layers of diffusers' UNet by their names, in the order of execution."""
    deepest = len(unet.down_blocks) - 1
    parts: list[tuple[str, AttentionBlock, int]] = [(f"down_blocks.{at}", "down", at) for at in range(deepest + 1)]
    if unet.mid_block is not None:
        parts.append(("mid_block", "middle", deepest))
    parts += [(f"up_blocks.{at}", "up", deepest - at) for at in range(len(unet.up_blocks))]
    found: dict[str, AttentionLayer] = {}
    counted, transformers = {"self": 0, "cross": 0}, -1
    for prefix, block, level in parts:
        for number, module in enumerate(getattr(unet.get_submodule(prefix), "attentions", ())):
            transformers += 1
            for name, layer in module.named_modules():
                kind = _KINDS.get(name.rpartition(".")[2])
                if kind is None:
                    continue
                full = f"{prefix}.attentions.{number}.{name}"
                found[full] = _described(full, kind, block, level, transformers, counted[kind], layer)
                counted[kind] += 1
    return found


def _described(
    name: str, kind: Any, block: AttentionBlock, level: int, transformer: int, position: int, layer: Any
) -> AttentionLayer:
    width, context = layer.to_q.out_features, layer.to_k.in_features
    return AttentionLayer(
        name, kind, block, level, transformer, position, layer.heads, width, context, partial(keys_and_values, layer)
    )


@contextmanager
def opened(
    unet: nn.Module, layers: Mapping[str, AttentionLayer], call: ModelCall, parts: Mapping[str, TakePart]
) -> Iterator[None]:
    """While entered, extensions take part in the layers that are named.

    Raises:
        ValueError: there is no layer of such a name.
    """
    before: list[tuple[Any, Any]] = []
    try:
        for name, part in parts.items():
            if name not in layers:
                raise ValueError(f"the network has no attention layer {name}")
            module: Any = unet.get_submodule(name)
            before.append((module, module.processor))
            module.processor = _Shared(layers[name], part, call.sample.shape, module.processor)
        yield
    finally:
        for module, processor in before:
            module.processor = processor


class _Shared:
    """An attention processor of diffusers that lets extensions take part."""

    def __init__(self, layer: AttentionLayer, part: TakePart, sample: tuple[int, ...], usual: Any) -> None:
        self._layer = layer
        self._part = part
        self._sample = sample
        self._mix = partial(_mixed_in_blocks, usual) if isinstance(usual, BlockedAttention) else _mixed

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """(rows, S, width), context (rows, T, D) or None for self-attention -> (rows, S, width)."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query = in_heads(attn.to_q(hidden_states), attn.heads)
        key, value = keys_and_values(attn, context)
        rows, tokens = hidden_states.shape[:2]
        size = token_grid((self._sample[-2], self._sample[-1]), self._layer.level, tokens)
        mix = partial(self._mix, attention_mask)
        due = Attention(self._layer, query, key, value, tuple(range(rows)), size, mix)
        return out_of(attn, self._part(due, Attention.mixed))


def token_grid(latents: tuple[int, int], level: int, tokens: int) -> tuple[int, int]:
    """(h, w) of the tokens of a layer: the latents' size halved `level` times, rounded up; where that makes another
    number of tokens (a network that was changed), what comes nearest to the shape of the latents.
    """
    height, width = latents
    for _ in range(level):
        height, width = (height + 1) // 2, (width + 1) // 2
    if height * width == tokens:
        return height, width
    wanted = (tokens * latents[0] / latents[1]) ** 0.5
    fitting = [number for number in range(1, tokens + 1) if tokens % number == 0]
    height = min(fitting, key=lambda number: abs(number - wanted))
    return height, tokens // height


def _mixed(mask: Tensor | None, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    out = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return out.transpose(1, 2).flatten(2)


def _mixed_in_blocks(usual: BlockedAttention, mask: Tensor | None, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return usual.mixed(query, key, value, mask).transpose(1, 2).flatten(2)
