"""Networks that draw depth maps and segmentation maps of pictures, read from folders in Hugging Face's form."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from webui.library.json_object import json_object
from webui.weights.depth import DepthNetwork
from webui.weights.inputs import IMAGENET_MEAN, IMAGENET_STD, Input, Triple
from webui.weights.pretrained import read_network
from webui.weights.tensors import TensorSource

_DEPTH: Mapping[str, Input] = MappingProxyType(
    {
        "dpt": Input(384, 384, 32, "least"),
        "depth_anything": Input(518, 518, 14, "cover", IMAGENET_MEAN, IMAGENET_STD),
        "zoedepth": Input(384, 512, 32, "least", rim=3.0),
    }
)
_SEGMENTERS: Mapping[str, Input] = MappingProxyType(
    {name: Input(512, 512, 32, "least", IMAGENET_MEAN, IMAGENET_STD) for name in ("upernet", "segformer")}
)


class Segmenter:
    """A network that says which class each pixel belongs to."""

    def __init__(self, module: nn.Module, shown: Input) -> None:
        self.module = module
        self.shown = shown

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in 0..1, sides multiples of 32 -> (B, H, W) int64: the class of each pixel."""
        weight = next(self.module.parameters())
        shown = self.shown.applied(pixels.to(weight.device, torch.float32), resized=False)
        scores: Tensor = self.module(shown.to(weight.dtype)).logits
        return interpolate(scores.float(), pixels.shape[-2:], mode="bilinear", align_corners=False).argmax(dim=1)


def build_depth(source: TensorSource, config: str, processor: str, device: torch.device) -> DepthNetwork:
    """The depth network of a folder, in float32.

    Args:
        source: the tensors of `model.safetensors`.
        config: the text of `config.json`.
        processor: the text of `preprocessor_config.json`; "" where there is none.

    Raises:
        UnusableFileError, NotFiniteError: as `read_network`.
    """
    made = read_network(source, config, tuple(_DEPTH), device)
    shown = _shown(_DEPTH[made.kind], made.facts, _processor(processor))
    is_distance = made.kind == "zoedepth" or made.facts.get("depth_estimation_type") == "metric"
    takes_any = getattr(made.module, "dpt", None) is not None
    return DepthNetwork(made.module, shown, takes_any=takes_any, is_distance=is_distance)


def build_segmenter(source: TensorSource, config: str, processor: str, device: torch.device, classes: int) -> Segmenter:
    """The segmentation network of a folder, in float32, for so many classes. Arguments and errors as `build_depth`."""
    made = read_network(source, config, tuple(_SEGMENTERS), device, num_labels=classes)
    return Segmenter(made.module, _shown(_SEGMENTERS[made.kind], made.facts, _processor(processor)))


def _processor(text: str) -> Mapping[str, Any]:
    return json_object("preprocessor_config.json", text) if text else {}


def _shown(usual: Input, facts: Mapping[str, Any], processor: Mapping[str, Any]) -> Input:
    """How the network wants its pictures: `usual`, with the values that `preprocessor_config.json` gives instead."""
    inner = facts.get("backbone_config")
    fit = usual.fit
    height, width = usual.height, usual.width
    if facts.get("model_type") == "dpt" and not facts.get("is_hybrid") and isinstance(inner, dict):
        fit = "stretch"  # their position embeddings are for one size
        height = width = _side(inner.get("image_size"), height)
    size = processor.get("size")
    if isinstance(size, dict):
        height, width = _side(size.get("height"), height), _side(size.get("width"), width)
    elif size is not None:
        height = width = _side(size, height)
    multiple = processor.get("ensure_multiple_of")
    if not isinstance(multiple, int) or not 1 < multiple <= 128:
        multiple = usual.multiple
    mean, std = _triple(processor.get("image_mean")) or usual.mean, _triple(processor.get("image_std")) or usual.std
    return Input(height, width, multiple, fit, mean, std if all(value > 0 for value in std) else usual.std, usual.rim)


def _side(value: object, usual: int) -> int:
    return value if isinstance(value, int) and 32 <= value <= 2048 else usual


def _triple(value: object) -> Triple | None:
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(one, int | float) for one in value):
        return None
    return float(value[0]), float(value[1]), float(value[2])
