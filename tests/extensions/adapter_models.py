"""Small files of IP-Adapter with random weights, of every kind, and small image encoders."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

TOKENS, HIDDEN, PROJECTED, FACE = 17, 64, 48, 512  # of the encoder that they are made for; of ArcFace
INNER = 64  # one head of the resampler
KINDS = ("standard", "plus", "full", "face", "portrait", "face_plus", "instant")


def tensors_of(kind: str, widths: Sequence[int], context: int, seed: int = 3) -> dict[str, dict[str, Tensor]]:
    """The two parts of a file for a UNet whose cross attentions are so wide, in the order of the file."""
    torch.manual_seed(seed)
    layers = {
        f"{2 * number + 1}.to_{letter}_ip.weight": torch.randn(width, context) / context**0.5
        for number, width in enumerate(widths)
        for letter in "kv"
    }
    return {"image_proj": _projection(kind, context), "ip_adapter": layers}


def saved(path: Path, parts: Mapping[str, Mapping[str, Tensor]]) -> Path:
    """The file, as safetensors or, by its name, as a pickle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".bin":
        torch.save(parts, path)
    else:
        save_file({f"{part}.{name}": value for part, inner in parts.items() for name, value in inner.items()}, path)
    return path


def loras(widths: Sequence[tuple[int, int]], rank: int = 2) -> dict[str, Tensor]:
    """Low-rank changes of attention layers, given (width, channels that keys and values are made of)."""
    torch.manual_seed(5)
    found: dict[str, Tensor] = {}
    for number, (width, into) in enumerate(widths):
        for letter, first in (("q", width), ("k", into), ("v", into), ("out", width)):
            found[f"{number}.to_{letter}_lora.down.weight"] = torch.randn(rank, first) / first**0.5
            found[f"{number}.to_{letter}_lora.up.weight"] = torch.randn(width, rank)
    return found


def encoder(*, hidden: int = HIDDEN, projected: int = PROJECTED, side: int = 56) -> dict[str, Tensor]:
    """An image encoder of two layers that looks at a square of `side` pixels."""
    from transformers.models.clip.configuration_clip import CLIPVisionConfig
    from transformers.models.clip.modeling_clip import CLIPVisionModelWithProjection

    torch.manual_seed(4)
    config = CLIPVisionConfig(
        hidden_size=hidden, intermediate_size=96, projection_dim=projected, num_hidden_layers=2,
        num_attention_heads=hidden // 64, image_size=side, patch_size=14, hidden_act="gelu",
    )  # fmt: skip
    state = CLIPVisionModelWithProjection(config).state_dict()
    return {name: value.contiguous() for name, value in state.items() if "position_ids" not in name}


def _projection(kind: str, context: int) -> dict[str, Tensor]:
    match kind:
        case "standard":
            return _linear("proj", PROJECTED, 4 * context) | _norm("norm", context)
        case "plus":
            return {"latents": torch.randn(1, 16, 32)} | _resampler("", HIDDEN, 32, context)
        case "instant":
            return {"latents": torch.randn(1, 16, 32)} | _resampler("", FACE, 32, context)
        case "full":
            return _linear("proj.0", HIDDEN, HIDDEN) | _linear("proj.2", HIDDEN, context) | _norm("proj.3", context)
    count = 16 if kind == "portrait" else 4
    found = _linear("proj.0", FACE, 2 * FACE) | _linear("proj.2", 2 * FACE, count * context) | _norm("norm", context)
    more = _resampler("perceiver_resampler.", HIDDEN, context, context) if kind == "face_plus" else {}
    return found | more


def _resampler(prefix: str, into: int, width: int, out: int) -> dict[str, Tensor]:
    found = _linear("proj_in", into, width) | _linear("proj_out", width, out) | _norm("norm_out", out)
    for number in range(4):
        at = f"layers.{number}"
        found |= _norm(f"{at}.0.norm1", width) | _norm(f"{at}.0.norm2", width) | _norm(f"{at}.1.0", width)
        for name, first, second in (
            ("0.to_q", width, INNER), ("0.to_kv", width, 2 * INNER), ("0.to_out", INNER, width),
            ("1.1", width, 4 * width), ("1.3", 4 * width, width),
        ):  # fmt: skip
            found[f"{at}.{name}.weight"] = torch.randn(second, first) / first**0.5
    return {prefix + name: value for name, value in found.items()}


def _linear(name: str, first: int, second: int) -> dict[str, Tensor]:
    return {f"{name}.weight": torch.randn(second, first) / first**0.5, f"{name}.bias": torch.randn(second)}


def _norm(name: str, width: int) -> dict[str, Tensor]:
    return {f"{name}.weight": 1 + torch.randn(width) / 4, f"{name}.bias": torch.randn(width) / 4}
