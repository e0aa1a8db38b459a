"""MiDaS' DPT-hybrid in a size of a few hundred thousand numbers: its tensors as checkpoints name them, and what it
computes, written down from arXiv:2103.13413 and arXiv:1912.11370 with functions only, to compare with.
"""

import torch
from torch import Tensor
from torch.nn import functional

from tests.narrowing import untyped

PREFIX = "depth_model.model."
STEM, STAGES, BLOCKS = 32, (128, 256, 384), (1, 1, 2)
WIDTH, INNER, LAYERS, GRID = 64, 96, 4, 2
FUSED, HEADS, GROUPS = 32, 1, 32
TAPS = (2, 3)  # blocks whose tokens are read: at three quarters, and the last


def small_midas(seed: int = 0) -> dict[str, Tensor]:
    """Random tensors, with all names of a real checkpoint's depth network but the classifier that nothing reads."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}

    def add(name: str, *shape: int, bias: bool = True, norm: bool = False) -> None:
        inputs = max(1, torch.Size(shape[1:]).numel())
        drawn = torch.randn(shape, generator=generator)
        tensors[f"{name}.weight"] = 1 + 0.1 * drawn if norm else drawn / inputs**0.5
        if bias:
            tensors[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)

    vit, resnet = "pretrained.model", "pretrained.model.patch_embed.backbone"
    add(f"{resnet}.stem.conv", STEM, 3, 7, 7, bias=False)
    add(f"{resnet}.stem.norm", STEM, norm=True)
    before = STEM
    for stage, (channels, blocks) in enumerate(zip(STAGES, BLOCKS, strict=True)):
        inner = channels // 4 // 8 * 8
        for block in range(blocks):
            at = f"{resnet}.stages.{stage}.blocks.{block}"
            if block == 0:
                add(f"{at}.downsample.conv", channels, before, 1, 1, bias=False)
                add(f"{at}.downsample.norm", channels, norm=True)
            sizes = ((inner, before, 1), (inner, inner, 3), (channels, inner, 1))
            for number, (out, into, kernel) in enumerate(sizes, 1):
                add(f"{at}.conv{number}", out, into, kernel, kernel, bias=False)
                add(f"{at}.norm{number}", out, norm=True)
            before = channels
    add(f"{vit}.patch_embed.proj", WIDTH, before, 1, 1)
    for layer in range(LAYERS):
        at = f"{vit}.blocks.{layer}"
        add(f"{at}.norm1", WIDTH, norm=True)
        add(f"{at}.attn.qkv", 3 * WIDTH, WIDTH)
        add(f"{at}.attn.proj", WIDTH, WIDTH)
        add(f"{at}.norm2", WIDTH, norm=True)
        add(f"{at}.mlp.fc1", INNER, WIDTH)
        add(f"{at}.mlp.fc2", WIDTH, INNER)
    add(f"{vit}.norm", WIDTH, norm=True)
    for number in (3, 4):
        add(f"pretrained.act_postprocess{number}.0.project.0", WIDTH, 2 * WIDTH)
        add(f"pretrained.act_postprocess{number}.3", WIDTH, WIDTH, 1, 1)
    add("pretrained.act_postprocess4.4", WIDTH, WIDTH, 3, 3)
    for number, channels in enumerate((*STAGES[:2], WIDTH, WIDTH), 1):
        add(f"scratch.layer{number}_rn", FUSED, channels, 3, 3, bias=False)
        add(f"scratch.refinenet{number}.out_conv", FUSED, FUSED, 1, 1)
        for unit in (1, 2):
            for conv in (1, 2):
                add(f"scratch.refinenet{number}.resConfUnit{unit}.conv{conv}", FUSED, FUSED, 3, 3)
    add("scratch.output_conv.0", FUSED // 2, FUSED, 3, 3)
    add("scratch.output_conv.2", 32, FUSED // 2, 3, 3)
    add("scratch.output_conv.4", 1, 32, 1, 1)
    tensors["scratch.output_conv.4.bias"] += 1  # so that the last rectifier lets something through
    tensors[f"{vit}.cls_token"] = torch.randn(1, 1, WIDTH, generator=generator)
    tensors[f"{vit}.pos_embed"] = torch.randn(1, GRID * GRID + 1, WIDTH, generator=generator)
    return {PREFIX + name: tensor.contiguous() for name, tensor in tensors.items()}


class Reference:
    """The network as functions of its tensors. `used` collects the names of those that were read."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        self.used: set[str] = set()

    def get(self, name: str) -> Tensor:
        self.used.add(PREFIX + name)
        return self.tensors[PREFIX + name]

    def __call__(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in -1..1, sides multiples of 32 -> (B, H, W)."""
        first, second, third = self.resnet(pixels)
        rows, columns = third.shape[-2:]
        vit = "pretrained.model"
        tokens = self.conv(third, f"{vit}.patch_embed.proj").flatten(2).transpose(1, 2)
        tokens = torch.cat([self.get(f"{vit}.cls_token").expand(len(tokens), -1, -1), tokens], dim=1)
        tokens = tokens + self.positions(rows, columns)
        kept = []
        for layer in range(LAYERS):
            tokens = self.block(tokens, f"{vit}.blocks.{layer}")
            if layer in TAPS:
                kept.append(tokens)
        maps = [first, second]
        for number, one in zip((3, 4), kept, strict=True):
            at = f"pretrained.act_postprocess{number}"
            both = torch.cat([one[:, 1:], one[:, :1].expand(-1, one.shape[1] - 1, -1)], dim=2)
            read = functional.gelu(self.linear(both, f"{at}.0.project.0"))
            maps.append(self.conv(untyped(read.transpose(1, 2)).unflatten(2, (rows, columns)), f"{at}.3"))
        maps[3] = self.conv(maps[3], "pretrained.act_postprocess4.4", stride=2, padding=1)
        return self.decoded(maps)

    def resnet(self, hidden: Tensor) -> list[Tensor]:
        at = "pretrained.model.patch_embed.backbone"
        hidden = self.standardised(hidden, f"{at}.stem.conv", 2)
        hidden = self.norm(hidden, f"{at}.stem.norm").relu()
        hidden = functional.max_pool2d(self.padded(hidden, 3, 2), 3, 2)
        found = []
        for stage, blocks in enumerate(BLOCKS):
            for block in range(blocks):
                hidden = self.bottleneck(hidden, f"{at}.stages.{stage}.blocks.{block}", 2 if stage and not block else 1)
            found.append(hidden)
        return found

    def bottleneck(self, hidden: Tensor, at: str, stride: int) -> Tensor:
        kept = hidden
        if f"{PREFIX}{at}.downsample.conv.weight" in self.tensors:
            kept = self.norm(self.standardised(hidden, f"{at}.downsample.conv", stride), f"{at}.downsample.norm")
        hidden = self.norm(self.standardised(hidden, f"{at}.conv1", 1), f"{at}.norm1").relu()
        hidden = self.norm(self.standardised(hidden, f"{at}.conv2", stride), f"{at}.norm2").relu()
        return (self.norm(self.standardised(hidden, f"{at}.conv3", 1), f"{at}.norm3") + kept).relu()

    def standardised(self, hidden: Tensor, name: str, stride: int) -> Tensor:
        weight = self.get(f"{name}.weight")
        flat = weight.flatten(1)
        mean, var = flat.mean(1), flat.var(1, unbiased=False)
        weight = (weight - mean[:, None, None, None]) / (var + 1e-8).sqrt()[:, None, None, None]
        return functional.conv2d(self.padded(hidden, weight.shape[-1], stride), weight, stride=stride)

    @staticmethod
    def padded(hidden: Tensor, kernel: int, stride: int) -> Tensor:
        """Zeros around it, so that the result has 1/stride of the size; the odd one is right and below."""
        height, width = (max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in hidden.shape[-2:])
        return functional.pad(hidden, (width // 2, width - width // 2, height // 2, height - height // 2))

    def positions(self, rows: int, columns: int) -> Tensor:
        stored = self.get("pretrained.model.pos_embed")
        grid = untyped(stored[:, 1:].transpose(1, 2)).unflatten(2, (GRID, GRID))
        grid = functional.interpolate(grid, (rows, columns), mode="bilinear", align_corners=False)
        return torch.cat([stored[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)

    def block(self, tokens: Tensor, at: str) -> Tensor:
        normed = self.layer_norm(tokens, f"{at}.norm1")
        query, key, value = (
            untyped(part).unflatten(2, (HEADS, -1)).transpose(1, 2)
            for part in self.linear(normed, f"{at}.attn.qkv").chunk(3, 2)
        )
        share = (query @ key.transpose(2, 3) / query.shape[-1] ** 0.5).softmax(-1)
        tokens = tokens + self.linear((share @ value).transpose(1, 2).flatten(2), f"{at}.attn.proj")
        inner = functional.gelu(self.linear(self.layer_norm(tokens, f"{at}.norm2"), f"{at}.mlp.fc1"))
        return tokens + self.linear(inner, f"{at}.mlp.fc2")

    def decoded(self, maps: list[Tensor]) -> Tensor:
        fused = None
        for number in (4, 3, 2, 1):
            at = f"scratch.refinenet{number}"
            added = functional.conv2d(maps[number - 1], self.get(f"scratch.layer{number}_rn.weight"), padding=1)
            fused = added if fused is None else fused + self.unit(added, f"{at}.resConfUnit1")
            fused = self.unit(fused, f"{at}.resConfUnit2")
            fused = functional.interpolate(fused, scale_factor=2.0, mode="bilinear", align_corners=True)
            fused = self.conv(fused, f"{at}.out_conv")
        assert fused is not None
        depth = self.conv(fused, "scratch.output_conv.0", padding=1)
        depth = functional.interpolate(depth, scale_factor=2.0, mode="bilinear", align_corners=True)
        depth = self.conv(depth, "scratch.output_conv.2", padding=1).relu()
        return self.conv(depth, "scratch.output_conv.4").relu()[:, 0]

    def unit(self, hidden: Tensor, at: str) -> Tensor:
        inner = self.conv(hidden.relu(), f"{at}.conv1", padding=1)
        return hidden + self.conv(inner.relu(), f"{at}.conv2", padding=1)

    def conv(self, hidden: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        return functional.conv2d(hidden, self.get(f"{name}.weight"), self.get(f"{name}.bias"), stride, padding)

    def linear(self, hidden: Tensor, name: str) -> Tensor:
        return functional.linear(hidden, self.get(f"{name}.weight"), self.get(f"{name}.bias"))

    def norm(self, hidden: Tensor, name: str) -> Tensor:
        return functional.group_norm(hidden, GROUPS, self.get(f"{name}.weight"), self.get(f"{name}.bias"), 1e-5)

    def layer_norm(self, hidden: Tensor, name: str) -> Tensor:
        return functional.layer_norm(hidden, (WIDTH,), self.get(f"{name}.weight"), self.get(f"{name}.bias"), 1e-6)
