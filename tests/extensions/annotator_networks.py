"""Networks of preprocessors as modules of torch, a few channels wide, with the names of the real files.

They compute by torch's own layers what `extensions/controlnet` computes by names, and write files for its tests.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

WIDTHS = ((4, 2), (6, 2), (8, 3), (8, 3), (8, 3))


def drawn_weights(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with random weights that keep numbers in a range, in which a mistake shows."""
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, one in (*network.named_parameters(), *network.named_buffers()):
            if "running_var" in name:
                one.copy_(torch.rand(one.shape, generator=dice) + 0.5)
            elif one.is_floating_point():
                fan = max(1, one[0].numel()) if one.dim() > 1 else 4
                one.copy_(torch.randn(one.shape, generator=dice) * fan**-0.5)
    return network.eval()


def save(network: nn.Module, path: Path, wrapper: str = "") -> None:
    """The network's weights as a pickle, as authors of networks publish theirs, or as safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {wrapper + name: value.contiguous() for name, value in network.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path)


class HedBlock(nn.Module):
    def __init__(self, channels: int, width: int, layers: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(channels if number == 0 else width, width, 3, padding=1) for number in range(layers)
        )
        self.projection = nn.Conv2d(width, 1, 1)


class Hed(nn.Module):
    """Answers with the five maps before they are averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.Parameter(torch.zeros(1, 3, 1, 1))
        channels = 3
        for number, (width, layers) in enumerate(WIDTHS, 1):
            setattr(self, f"block{number}", HedBlock(channels, width, layers))
            channels = width

    def forward(self, pixels: Tensor) -> list[Tensor]:
        hidden, maps = pixels - self.norm, []
        for number in range(1, 6):
            block = getattr(self, f"block{number}")
            hidden = nn.MaxPool2d(2)(hidden) if number > 1 else hidden
            for conv in block.convs:
                hidden = nn.ReLU()(conv(hidden))
            maps.append(block.projection(hidden))
        return maps


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        half = [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)]
        again = [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)]
        self.conv_block = nn.Sequential(*half, nn.ReLU(), *again)

    def forward(self, hidden: Tensor) -> Tensor:
        added: Tensor = hidden + self.conv_block(hidden)
        return added


class PhotoLines(nn.Sequential):
    def __init__(self, width: int = 4) -> None:
        super().__init__()

        def up(channels: int, out: int) -> list[nn.Module]:
            enlarge = nn.ConvTranspose2d(channels, out, 3, stride=2, padding=1, output_padding=1)
            return [enlarge, nn.InstanceNorm2d(out), nn.ReLU()]

        def down(channels: int, out: int) -> list[nn.Module]:
            return [nn.Conv2d(channels, out, 3, stride=2, padding=1), nn.InstanceNorm2d(out), nn.ReLU()]

        parts: Mapping[str, Sequence[nn.Module]] = {
            "model0": [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU()],
            "model1": [*down(width, width * 2), *down(width * 2, width * 4)],
            "model2": [Residual(width * 4) for _ in range(3)],
            "model3": [*up(width * 4, width * 2), *up(width * 2, width)],
            "model4": [nn.ReflectionPad2d(3), nn.Conv2d(width, 1, 7), nn.Sigmoid()],
        }
        for name, layers in parts.items():
            self.add_module(name, nn.Sequential(*layers))


class AnimeLevel(nn.Module):
    """A level of a U-Net around the next one; `below` is None in the innermost."""

    def __init__(self, outer: int, inner: int, below: nn.Module | None, *, outermost: bool = False) -> None:
        super().__init__()
        self._outermost = outermost
        first = nn.Conv2d(3 if outermost else outer, inner, 4, stride=2, padding=1)
        last = nn.ConvTranspose2d(inner * (1 if below is None else 2), 1 if outermost else outer, 4, 2, 1)
        if outermost:
            layers = [first, below, nn.ReLU(), last, nn.Tanh()]
        elif below is None:
            layers = [nn.LeakyReLU(0.2, True), first, nn.ReLU(), last, nn.InstanceNorm2d(outer)]
        else:
            layers = [nn.LeakyReLU(0.2, True), first, nn.InstanceNorm2d(inner), below, nn.ReLU(), last,
                      nn.InstanceNorm2d(outer)]  # fmt: skip
        self.model = nn.Sequential(*(one for one in layers if one is not None))

    def forward(self, hidden: Tensor) -> Tensor:
        made: Tensor = self.model(hidden)
        return made if self._outermost else torch.cat([hidden, made], 1)


class AnimeLines(nn.Module):
    def __init__(self, width: int = 2) -> None:
        super().__init__()
        level = AnimeLevel(width * 4, width * 4, None)
        for outer, inner in ((4, 4), (4, 4), (4, 4), (2, 4), (1, 2)):
            level = AnimeLevel(width * outer, width * inner, level)
        self.model = AnimeLevel(width, width, AnimeLevel(width, width, level), outermost=True)

    def forward(self, pixels: Tensor) -> Tensor:
        made: Tensor = self.model(pixels)
        return made


class Smish(nn.Module):
    def forward(self, hidden: Tensor) -> Tensor:
        made: Tensor = hidden * torch.tanh(torch.log(1 + torch.sigmoid(hidden)))
        return made


class TeedTwice(nn.Module):
    def __init__(self, channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        made: Tensor = self.conv2(Smish()(self.conv1(hidden)))
        return made


class TeedUp(nn.Module):
    def __init__(self, channels: int, times: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(times):
            out = 1 if number == times - 1 else 16
            up = nn.ConvTranspose2d(out, out, 2**times, stride=2, padding=2 ** (times - 1) - 1)
            layers += [nn.Conv2d(channels, out, 1), Smish(), up]
            channels = out
        self.features = nn.Sequential(*layers)


class Teed(nn.Module):
    """Answers with the three maps and their fusion."""

    def __init__(self) -> None:
        super().__init__()
        self.block_1, self.block_2 = TeedTwice(3, 4, stride=2), TeedTwice(4, 6)
        layer = nn.ModuleDict({"conv1": nn.Conv2d(6, 8, 3, padding=2), "conv2": nn.Conv2d(8, 8, 3)})
        self.dblock_3 = nn.ModuleDict({"denselayer1": layer})
        self.side_1 = nn.ModuleDict({"conv": nn.Conv2d(4, 6, 1, stride=2)})
        self.pre_dense_3 = nn.ModuleDict({"conv": nn.Conv2d(6, 8, 1)})
        self.up_block_1, self.up_block_2, self.up_block_3 = TeedUp(4, 1), TeedUp(6, 1), TeedUp(8, 2)
        wide, again = nn.Conv2d(3, 24, 3, padding=1, groups=3), nn.Conv2d(24, 24, 3, padding=1, groups=24)
        self.block_cat = nn.ModuleDict({"DWconv1": wide, "DWconv2": again})

    def forward(self, pixels: Tensor) -> list[Tensor]:
        smish = Smish()
        first = smish(self.block_1(pixels))
        second = self.block_2(first)
        down = nn.MaxPool2d(3, 2, 1)(second)
        layer = self.dblock_3["denselayer1"]
        assert isinstance(layer, nn.ModuleDict)
        dense = layer["conv2"](smish(layer["conv1"](smish(down + self.side_1["conv"](first)))))
        third = 0.5 * (dense + self.pre_dense_3["conv"](down))
        maps = [self.up_block_1.features(first), self.up_block_2.features(second), self.up_block_3.features(third)]
        wide = self.block_cat["DWconv1"](smish(torch.cat(maps, 1)))
        again = self.block_cat["DWconv2"](smish(wide))
        return [*maps, smish((wide + again).sum(1, keepdim=True))]


class PrintLayer(nn.Module):
    def __init__(self, channels: int, out: int, kernel: int = 3, stride: int = 1, *, doubled: bool = False) -> None:
        super().__init__()
        conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2)
        up = [nn.Upsample(scale_factor=2, mode="nearest")] if doubled else []
        self.model = nn.Sequential(nn.BatchNorm2d(channels, eps=1e-3), nn.LeakyReLU(0.2), conv, *up)

    def forward(self, hidden: Tensor) -> Tensor:
        made: Tensor = self.model(hidden)
        return made


class PrintShortcut(nn.Module):
    def __init__(self, channels: int, out: int, stride: int, *, doubled: bool) -> None:
        super().__init__()
        up = [nn.Upsample(scale_factor=2, mode="nearest")] if doubled else []
        changes = channels != out or stride != 1
        self.model = nn.Sequential(nn.Conv2d(channels, out, 1, stride), *up) if changes else nn.Identity()


class PrintBlock(nn.Module):
    def __init__(self, channels: int, out: int, stride: int = 1, *, doubled: bool = False) -> None:
        super().__init__()
        self.conv1 = PrintLayer(channels, out, stride=stride, doubled=doubled)
        self.residual = PrintLayer(out, out)
        self.shortcut = PrintShortcut(channels, out, stride, doubled=doubled)

    def forward(self, hidden: Tensor) -> Tensor:
        made: Tensor = self.shortcut.model(hidden) + self.residual(self.conv1(hidden))
        return made


class PrintedLines(nn.Module):
    """`erika.pth` with fewer blocks."""

    def __init__(self) -> None:
        super().__init__()
        widths = (2, 3, 4, 5, 6)
        channels = 1
        for number, width in enumerate(widths):
            last = PrintBlock(width, width, stride=1 if number == 0 else 2)
            self.add_module(f"block{number}", self._row(PrintBlock(channels, width), last))
            channels = width
        for number, width in enumerate(reversed(widths[:-1]), 5):
            row = self._row(PrintBlock(channels, width, doubled=True), PrintBlock(width, width))
            self.add_module(f"block{number}", row)
            channels = width
        self.block9 = self._row(PrintBlock(channels, 3), PrintBlock(3, 3))
        self.conv15 = PrintLayer(3, 1, kernel=1)

    def forward(self, pixels: Tensor) -> Tensor:
        maps, hidden = [], pixels
        for number in range(5):
            hidden = self.get_submodule(f"block{number}.model")(hidden)
            maps.append(hidden)
        for number in range(5, 9):
            hidden = maps[8 - number] + self.get_submodule(f"block{number}.model")(hidden)
        made: Tensor = self.conv15(self.get_submodule("block9.model")(hidden))
        return made

    def _row(self, *blocks: nn.Module) -> nn.Module:
        return nn.ModuleDict({"model": nn.Sequential(*blocks)})
