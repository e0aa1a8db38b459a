"""T2I-Adapter (arXiv:2302.08453): a small network that makes one feature map a level from the hint alone.

Full and light adapters for SD1 (hint shrunk 8 times) and SDXL (16 times). `unit_networks.py` adds the features to the
UNet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import TensorFile

from .control_files import Found, Shapes, fill

_FACES = MappingProxyType({8: (64, 192), 16: (256, 768)})  # channels of grey and RGB hints by how much they are shrunk
_XL_SHRINK = 16
_LEVELS = 4


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """The sizes of an adapter, as its tensors tell them.

    Attributes:
        shrink: pixels of the hint per cell of the first feature map and side.
        grey: the hint has one channel.
        levels: for each feature map (channels coming in, channels going out, residual blocks).
        kernel: of the second convolution of a residual block.
        inner: channels inside a level, of light adapters.
    """

    shrink: int
    grey: bool
    levels: tuple[tuple[int, int, int], ...]
    kernel: int = 1
    skips: bool = False
    inner: tuple[int, ...] = ()


class AdapterBlock(nn.Module):
    """Two convolutions around a ReLU, added to the input."""

    def __init__(self, channels: int, out_channels: int, kernel: int, *, widens: bool, skips: bool) -> None:
        super().__init__()
        pad = kernel // 2
        self.in_conv = nn.Conv2d(channels, out_channels, kernel, padding=pad) if widens else None
        self.block1 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.block2 = nn.Conv2d(out_channels, out_channels, kernel, padding=pad)
        self.skep = nn.Conv2d(channels, out_channels, kernel, padding=pad) if skips else None  # its name in the files

    def forward(self, hidden: Tensor) -> Tensor:
        inside = hidden if self.in_conv is None else self.in_conv(hidden)
        kept = inside if self.skep is None else self.skep(hidden)
        return self.block2(functional.relu(self.block1(inside))) + kept  # type: ignore[no-any-return]


class FullAdapter(nn.Module):
    """The full adapter. Each level from the second on halves the map first; with SDXL only the third does."""

    def __init__(self, shape: AdapterShape) -> None:
        super().__init__()
        self.shape = shape
        first = shape.levels[0][0]
        self.conv_in = nn.Conv2d(shape.shrink**2 * (1 if shape.grey else 3), first, 3, padding=1)
        self.body = nn.ModuleList()
        for channels, out_channels, count in shape.levels:
            for number in range(count):
                here = channels if number == 0 else out_channels
                widens = here != out_channels
                self.body.append(
                    AdapterBlock(here, out_channels, shape.kernel, widens=widens, skips=shape.skips and widens)
                )

    def forward(self, hint: Tensor) -> tuple[Tensor, ...]:
        """(1, 1 or 3, H, W) in 0..1 -> one (1, C, h, w) a level."""
        hidden = self.conv_in(functional.pixel_unshuffle(hint, self.shape.shrink))
        features, at = [], 0
        for level, (_, _, count) in enumerate(self.shape.levels):
            if _halves(level, self.shape):
                hidden = functional.avg_pool2d(hidden, 2)
            for block in self.body[at : at + count]:
                hidden = block(hidden)
            at += count
            features.append(hidden)
        return tuple(features)


class LightLevel(nn.Module):
    """One level of the light adapter: narrow residual blocks between two 1x1 convolutions."""

    def __init__(self, channels: int, inner: int, out_channels: int, count: int) -> None:
        super().__init__()
        self.in_conv = nn.Conv2d(channels, inner, 1)
        self.body = nn.ModuleList(LightBlock(inner) for _ in range(count))
        self.out_conv = nn.Conv2d(inner, out_channels, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = self.in_conv(hidden)
        for block in self.body:
            hidden = block(hidden)
        return self.out_conv(hidden)  # type: ignore[no-any-return]


class LightBlock(nn.Module):
    """Two 3x3 convolutions around a ReLU, added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.block2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.block2(functional.relu(self.block1(hidden)))  # type: ignore[no-any-return]


class LightAdapter(nn.Module):
    """The light adapter."""

    def __init__(self, shape: AdapterShape) -> None:
        super().__init__()
        self.shape = shape
        self.body = nn.ModuleList(
            LightLevel(channels, inner, out, count)
            for (channels, out, count), inner in zip(shape.levels, shape.inner, strict=True)
        )

    def forward(self, hint: Tensor) -> tuple[Tensor, ...]:
        """(1, 1 or 3, H, W) in 0..1 -> one (1, C, h, w) a level."""
        hidden = functional.pixel_unshuffle(hint, self.shape.shrink)
        features = []
        for number, level in enumerate(self.body):
            hidden = level(functional.avg_pool2d(hidden, 2) if number else hidden)
            features.append(hidden)
        return tuple(features)


def adapter_shape(shapes: Shapes) -> AdapterShape:
    """Read the shape of an adapter, by the names of its original code.

    Raises:
        UnusableFileError: tensors are missing or of no known adapter.
    """
    is_light = "conv_in.weight" not in shapes
    channels = shapes["body.0.in_conv.weight" if is_light else "conv_in.weight"][1]
    shrink = next((shrink for shrink, faces in _FACES.items() if channels in faces), None)
    if shrink is None:
        raise UnusableFileError(f"T2I-Adapter: it takes {channels} channels; 64, 192, 256 and 768 are supported")
    grey = channels == shrink**2
    if is_light:
        return _light_shape(shapes, shrink, grey=grey)
    outs: list[int] = []
    while f"body.{len(outs)}.block1.weight" in shapes:
        outs.append(shapes[f"body.{len(outs)}.block1.weight"][0])
    if not outs or len(outs) % _LEVELS:
        raise UnusableFileError(f"T2I-Adapter: {len(outs)} blocks, which do not make {_LEVELS} levels")
    each = len(outs) // _LEVELS
    starts = [shapes["conv_in.weight"][0], *outs[each - 1 :: each]]
    levels = tuple((starts[level], outs[level * each], each) for level in range(_LEVELS))
    kernel = shapes["body.0.block2.weight"][-1]
    return AdapterShape(shrink, grey, levels, kernel, any(".skep." in name for name in shapes))


def build_adapter(
    source: TensorFile, found: Found, device: torch.device, dtype: torch.dtype
) -> FullAdapter | LightAdapter:
    """The adapter with its weights. Raises as `control_files.fill` and `adapter_shape`."""
    shape = adapter_shape(found.shapes)
    with torch.device("meta"):
        adapter = LightAdapter(shape) if shape.inner else FullAdapter(shape)
    fill(adapter, source, found.keys, device, dtype)
    return adapter


def _light_shape(shapes: Shapes, shrink: int, *, grey: bool) -> AdapterShape:
    levels: list[tuple[int, int, int]] = []
    inner: list[int] = []
    while f"body.{len(levels)}.in_conv.weight" in shapes:
        name = f"body.{len(levels)}"
        count = 0
        while f"{name}.body.{count}.block1.weight" in shapes:
            count += 1
        narrow, channels = shapes[f"{name}.in_conv.weight"][:2]
        levels.append((channels, shapes[f"{name}.out_conv.weight"][0], count))
        inner.append(narrow)
    return AdapterShape(shrink, grey, tuple(levels), inner=tuple(inner))


def _halves(level: int, shape: AdapterShape) -> bool:
    return level == 2 if shape.shrink == _XL_SHRINK else level > 0


def weights_by_level(weights: Sequence[float], features: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Each feature map times its weight."""
    return tuple(weight * feature for weight, feature in zip(weights, features, strict=True))
