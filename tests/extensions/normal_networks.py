"""The network of surface normals as modules of torch, a few channels wide, with the names of `scannet.pt`."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Same(nn.Conv2d):
    """Pads as TensorFlow: an odd rest lies right and below. Sides are multiples of the stride."""

    def forward(self, hidden: Tensor) -> Tensor:
        rest = self.kernel_size[0] - self.stride[0]
        border = (rest // 2, rest - rest // 2) * 2
        made: Tensor = self._conv_forward(functional.pad(hidden, border), self.weight, self.bias)
        return made


class Squeeze(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_reduce, self.conv_expand = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        mean = nn.AdaptiveAvgPool2d(1)(hidden)
        made: Tensor = hidden * self.conv_expand(nn.SiLU()(self.conv_reduce(mean))).sigmoid()
        return made


class Separable(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv_dw, self.bn1 = Same(channels, channels, 3, groups=channels, bias=False), norm(channels)
        self.se = Squeeze(channels)
        self.conv_pw, self.bn2 = nn.Conv2d(channels, out, 1, bias=False), norm(out)
        self.adds = channels == out

    def forward(self, hidden: Tensor) -> Tensor:
        made: Tensor = self.bn2(self.conv_pw(self.se(nn.SiLU()(self.bn1(self.conv_dw(hidden))))))
        return hidden + made if self.adds else made


class Wide(nn.Module):
    def __init__(self, channels: int, out: int, stride: int, kernel: int) -> None:
        super().__init__()
        inner = channels * 2
        self.conv_pw, self.bn1 = nn.Conv2d(channels, inner, 1, bias=False), norm(inner)
        self.conv_dw, self.bn2 = Same(inner, inner, kernel, stride, groups=inner, bias=False), norm(inner)
        self.se = Squeeze(inner)
        self.conv_pwl, self.bn3 = nn.Conv2d(inner, out, 1, bias=False), norm(out)
        self.adds = stride == 1 and channels == out

    def forward(self, hidden: Tensor) -> Tensor:
        wide = nn.SiLU()(self.bn1(self.conv_pw(hidden)))
        made: Tensor = self.bn3(self.conv_pwl(self.se(nn.SiLU()(self.bn2(self.conv_dw(wide))))))
        return hidden + made if self.adds else made


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn1 = Same(3, 4, 3, 2, bias=False), norm(4)
        stages: list[nn.Module] = [nn.Sequential(Separable(4, 3), Separable(3, 3))]
        widths = ((4, 2, 3), (5, 2, 5), (6, 2, 3), (6, 1, 5), (7, 2, 5), (8, 1, 3))
        channels = 3
        for out, stride, kernel in widths:
            stages.append(nn.Sequential(Wide(channels, out, stride, kernel), Wide(out, out, 1, kernel)))
            channels = out
        self.blocks = nn.ModuleList(stages)
        self.conv_head = nn.Conv2d(channels, 10, 1, bias=False)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        hidden, maps = nn.SiLU()(self.bn1(self.conv_stem(pixels))), []
        for stage in self.blocks:
            hidden = stage(hidden)
            maps.append(hidden)
        return [*maps, self.conv_head(hidden)]


class Up(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self._net = nn.Sequential(
            nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.LeakyReLU(),
            nn.Conv2d(out, out, 3, padding=1), nn.BatchNorm2d(out), nn.LeakyReLU(),
        )  # fmt: skip

    def forward(self, hidden: Tensor, beside: Tensor) -> Tensor:
        size = (beside.size(2), beside.size(3))
        enlarged = functional.interpolate(hidden, size=size, mode="bilinear", align_corners=True)
        made: Tensor = self._net(torch.cat([enlarged, beside], 1))
        return made


class Normals(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"original_model": Encoder()})
        parts: dict[str, nn.Module] = {"conv2": nn.Conv2d(10, 10, 1), "out_conv_res8": nn.Conv2d(8, 4, 3, padding=1)}
        for number, (channels, out) in enumerate(((16, 9), (14, 8), (12, 7), (10, 6)), 1):
            parts[f"up{number}"] = Up(channels, out)
        for size, channels in ((4, 8), (2, 7), (1, 6)):
            rows = [nn.Conv1d(channels + 4, 5, 1), nn.ReLU(), nn.Conv1d(5, 5, 1), nn.ReLU(), nn.Conv1d(5, 5, 1)]
            parts[f"out_conv_res{size}"] = nn.Sequential(*rows, nn.ReLU(), nn.Conv1d(5, 4, 1))
        self.decoder = nn.ModuleDict(parts)

    def forward(self, pixels: Tensor) -> Tensor:
        maps, decoder = self.encoder["original_model"](pixels), self.decoder
        first = decoder["up1"](decoder["conv2"](maps[7]), maps[4])
        second = decoder["up2"](first, maps[2])
        third = decoder["up3"](second, maps[1])
        fourth = decoder["up4"](third, maps[0])
        answer = unit(decoder["out_conv_res8"](second))
        for size, hidden in ((4, second), (2, third), (1, fourth)):
            up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            seen = torch.cat([up(hidden), up(answer)], 1)
            flat = unit(decoder[f"out_conv_res{size}"](seen.view(1, seen.shape[1], -1)))
            answer = flat.view(1, 4, *seen.shape[2:])
        return answer


def unit(answer: Tensor) -> Tensor:
    x, y, z, sure = torch.split(answer, 1, dim=1)
    length = torch.sqrt(x**2 + y**2 + z**2) + 1e-10
    return torch.cat([x / length, y / length, z / length, functional.elu(sure) + 1.01], 1)
