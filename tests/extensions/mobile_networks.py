"""M-LSD and the U-Net of drawn faces as modules of torch, a few channels wide, on MobileNetV2's blocks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Stage = tuple[int, int, int, int]  # how often wider, channels, blocks, stride


class ConvNorm(nn.Sequential):
    """`tensorflow`: halving pads at the right and bottom only."""

    def __init__(
        self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1, *, tensorflow: bool
    ) -> None:
        self._shifted = tensorflow and stride == 2
        padding = 0 if self._shifted else kernel // 2
        conv = nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(out), nn.ReLU6())

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = functional.pad(hidden, (0, 1, 0, 1)) if self._shifted else hidden
        for one in self:
            hidden = one(hidden)
        return hidden


class Inverted(nn.Module):
    def __init__(self, channels: int, out: int, stride: int, wider: int, *, tensorflow: bool) -> None:
        super().__init__()
        inner = channels * wider
        layers = [ConvNorm(channels, inner, 1, tensorflow=tensorflow)] if wider != 1 else []
        each = ConvNorm(inner, inner, 3, stride, inner, tensorflow=tensorflow)
        self.conv = nn.Sequential(*layers, each, nn.Conv2d(inner, out, 1, bias=False), nn.BatchNorm2d(out))
        self._adds = stride == 1 and channels == out

    def forward(self, hidden: Tensor) -> Tensor:
        made: Tensor = self.conv(hidden)
        return hidden + made if self._adds else made


def features(channels: int, stem: int, stages: Sequence[Stage], *, tensorflow: bool) -> list[nn.Module]:
    layers: list[nn.Module] = [ConvNorm(channels, stem, 3, 2, tensorflow=tensorflow)]
    width = stem
    for wider, out, blocks, stride in stages:
        for number in range(blocks):
            layers.append(Inverted(width, out, stride if number == 0 else 1, wider, tensorflow=tensorflow))
            width = out
    return layers


def layer(channels: int, out: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    padding = kernel // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, padding=padding, dilation=dilation), nn.BatchNorm2d(out), nn.ReLU()
    )


class Mlsd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        stages = [(1, 4, 1, 1), (6, 6, 2, 2), (6, 6, 3, 2), (6, 8, 4, 2), (6, 8, 3, 1)]
        self.backbone = nn.ModuleDict({"features": nn.ModuleList(features(4, 4, stages, tensorflow=True))})
        for number, (beside, below) in {15: (8, 8), 17: (6, 6), 19: (6, 6), 21: (4, 6)}.items():
            joined = nn.ModuleDict({"conv1": layer(below, 6, 1), "conv2": layer(beside, 6, 1)})
            self.add_module(f"block{number}", joined)
            refined = nn.ModuleDict({"conv1": layer(12, 12, 3), "conv2": layer(12, 6, 3)})
            self.add_module(f"block{number + 1}", refined)
        last = {"conv1": layer(6, 6, 3, dilation=5), "conv2": layer(6, 6, 3), "conv3": nn.Conv2d(6, 16, 1)}
        self.block23 = nn.ModuleDict(last)

    def forward(self, pixels: Tensor) -> Tensor:
        kept, hidden = {}, pixels
        blocks = self.backbone["features"]
        assert isinstance(blocks, nn.ModuleList)
        for number, block in enumerate(blocks):
            hidden = kept[number] = block(hidden)
        for number, place in ((15, 10), (17, 6), (19, 3), (21, 1)):
            joined, refined = self.get_submodule(f"block{number}"), self.get_submodule(f"block{number + 1}")
            assert isinstance(joined, nn.ModuleDict)
            assert isinstance(refined, nn.ModuleDict)
            below = joined["conv1"](hidden)
            if number != 15:
                below = functional.interpolate(below, scale_factor=2.0, mode="bilinear", align_corners=True)
            hidden = torch.cat([joined["conv2"](kept[place]), below], 1)
            hidden = refined["conv2"](refined["conv1"](hidden) + hidden)
        for name in ("conv1", "conv2", "conv3"):
            hidden = self.block23[name](hidden)
        return hidden[:, 7:]


class AnimeFace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        stages = [(1, 4, 1, 1), (6, 4, 2, 2), (6, 6, 3, 2), (6, 6, 4, 2), (6, 8, 3, 1), (6, 8, 3, 2)]
        layers = features(3, 4, stages, tensorflow=False)
        for number, (start, end) in enumerate(((0, 2), (2, 4), (4, 7), (7, 14), (14, 17))):
            self.add_module(f"en_block{number}", nn.Sequential(*layers[start:end]))
        for number, (channels, out) in {4: (8, 8), 3: (16, 6), 2: (12, 4), 1: (8, 4)}.items():
            conv, norm = nn.Conv2d(channels, out, 3, padding=1), nn.InstanceNorm2d(out)
            up = nn.UpsamplingNearest2d(scale_factor=2)
            self.add_module(f"de_block{number}", nn.Sequential(up, conv, norm, nn.LeakyReLU(0.1)))
        last = nn.Conv2d(8, 7, 3, padding=1)
        self.de_block0 = nn.Sequential(nn.UpsamplingNearest2d(scale_factor=2), last, nn.Softmax2d())

    def forward(self, pixels: Tensor) -> Tensor:
        maps, hidden = [], pixels
        for number in range(5):
            hidden = self.get_submodule(f"en_block{number}")(hidden)
            maps.append(hidden)
        for number in (4, 3, 2, 1):
            raised = self.get_submodule(f"de_block{number}")(hidden)
            beside = maps[number - 1]
            raised = functional.interpolate(raised, size=beside.shape[2:], mode="bilinear", align_corners=True)
            hidden = torch.cat([raised, beside], 1)
        made: Tensor = self.de_block0(hidden)
        return made
