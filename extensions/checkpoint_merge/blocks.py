"""Merge weights by block (MBW): the block of each tensor, and how a user writes a weight for each block.

A UNet with n encoder blocks has 2n + 1 merge blocks: IN00 .., M00, OUT00 ..; 25 for SD1 and SD2, 19 for SDXL.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import JsonValue

from webui.extension_api import BadRequestError

UNET = "model.diffusion_model."
BASE = "BASE"
GRID = 25  # number of values of a preset
_BLOCK = re.compile(r"(input|output)_blocks\.(\d+)\.")


def _ends(count: int) -> tuple[float, ...]:
    """1 on the first and on the last `count` blocks."""
    return tuple(1.0 if min(i, GRID - 1 - i) < count else 0.0 for i in range(GRID))


def _span(first: int, last: int, value: float = 1.0) -> tuple[float, ...]:
    return tuple(value if first <= i <= last else 0.0 for i in range(GRID))


def _reversed(curve: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(1.0 - value for value in curve)


_GRAD_V = tuple(abs(i - 12) / 12 for i in range(GRID))
_SMOOTHSTEP = tuple(3 * (i / 24) ** 2 - 2 * (i / 24) ** 3 for i in range(GRID))
_COSINE = tuple((1 + math.cos(math.pi * i / 24)) / 2 for i in range(GRID))

PRESETS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "GRAD_V": _GRAD_V,
        "GRAD_A": _reversed(_GRAD_V),
        "FLAT_25": (0.25,) * GRID,
        "FLAT_75": (0.75,) * GRID,
        "WRAP08": _ends(4),
        "WRAP12": _ends(6),
        "WRAP14": _ends(7),
        "WRAP16": _ends(8),
        "MID12_50": _span(5, 18, 0.5),
        "OUT07": _span(18, 24),
        "OUT12": _span(13, 24),
        "OUT12_5": tuple(0.5 if i == 12 else value for i, value in enumerate(_span(13, 24))),
        "SMOOTHSTEP": _SMOOTHSTEP,
        "REVERSE_SMOOTHSTEP": _reversed(_SMOOTHSTEP),
        "COSINE": _COSINE,
        "REVERSE_COSINE": _reversed(_COSINE),
    }
)  # 25 values: IN00 .. IN11, M00, OUT00 .. OUT11


@dataclass(frozen=True, slots=True)
class Blocks:
    """The merge blocks of one UNet, counted from the names of its tensors."""

    encoder: int

    @classmethod
    def of(cls, names: Iterable[str]) -> "Blocks":
        """Count the encoder blocks. Names outside the UNet are ignored."""
        found = (_BLOCK.match(name.removeprefix(UNET)) for name in names if name.startswith(UNET))
        numbers = {int(match[2]) for match in found if match and match[1] == "input"}
        return cls(len(numbers))

    @property
    def labels(self) -> tuple[str, ...]:
        """IN00 .., M00, OUT00 .."""
        each = range(self.encoder)
        return (*(f"IN{i:02}" for i in each), "M00", *(f"OUT{i:02}" for i in each))

    def label(self, name: str) -> str:
        """The block of a tensor.

        The embeddings of time and label count as the first block, the last convolution as the last one; tensors
        outside the UNet (text encoders, VAE), or in no block, are BASE.
        """
        if not name.startswith(UNET):
            return BASE
        rest = name.removeprefix(UNET)
        if match := _BLOCK.match(rest):
            return f"{'IN' if match[1] == 'input' else 'OUT'}{int(match[2]):02}"
        if rest.startswith(("time_embed.", "label_emb.")):
            return "IN00"
        if rest.startswith("middle_block."):
            return "M00"
        return f"OUT{self.encoder - 1:02}" if rest.startswith("out.") else BASE


@dataclass(frozen=True, slots=True)
class BlockWeights:
    """A weight for each block, and one for the rest."""

    blocks: Blocks
    by_label: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        """The weight of a tensor."""
        return self.by_label[self.blocks.label(name)]


def block_weights(field: str, text: str, base: float | None, flat: float, blocks: Blocks) -> BlockWeights:
    """Read weights as a user writes them.

    Args:
        field: name of the option, for errors.
        text: a preset, or one number for each block separated by commas, or one number more where the first is the
            base weight. Empty: `flat` for all.
        base: weight outside the UNet; None: the first of n + 1 numbers, else `flat`.
        flat: the weight where nothing else is given.

    Raises:
        BadRequestError: neither a preset nor the right count of numbers.
    """
    text, labels = text.strip(), blocks.labels
    if not text:
        values: tuple[float, ...] = (flat,) * len(labels)
    elif (preset := PRESETS.get(text.upper())) is not None:
        values = _stretched(preset, len(labels))
    else:
        values = _numbers(field, text, len(labels))
        if len(values) == len(labels) + 1:
            base, values = values[0] if base is None else base, values[1:]
    table = {BASE: flat if base is None else base, **dict(zip(labels, values, strict=True))}
    return BlockWeights(blocks, MappingProxyType(table))


def columns(levels: Sequence[int]) -> dict[str, JsonValue]:
    """The merge blocks of a UNet as a form draws them: names, depths below full size, and each preset's numbers.

    Args:
        levels: residual blocks of each level of the encoder, from full size to smallest.
    """
    depths = _depths(levels)
    labels = Blocks(len(depths)).labels
    smallest = 2 ** (len(levels) - 1)
    presets: dict[str, JsonValue] = {
        name: [round(value, 4) for value in _stretched(curve, len(labels))] for name, curve in PRESETS.items()
    }
    return {
        "labels": list(labels),
        "depths": [*depths, depths[-1], *reversed(depths)],
        "ends": ["IN, full size", f"1/{smallest} of each side", "full size, OUT"],
        "presets": presets,
    }


def levels_by_label(levels: Sequence[int]) -> dict[str, int]:
    """The level of each merge block whose layers have attention; `levels` as `columns` takes them.

    A block of the decoder is as deep as the one of the encoder that it is joined to, but for the downsamplers: there it
    still belongs to the level below.
    """
    encoder = [0, *(depth for depth, count in enumerate(levels) for _ in range(count + (depth < len(levels) - 1)))]
    decoder = [depth for depth, count in reversed(list(enumerate(levels))) for _ in range(count + 1)]
    return dict(zip(Blocks(len(encoder)).labels, (*encoder, len(levels) - 1, *decoder), strict=True))


def _depths(levels: Sequence[int]) -> list[int]:
    depths = [0]  # of the first convolution
    for depth, count in enumerate(levels):
        depths += [depth] * count
        if depth < len(levels) - 1:
            depths.append(depth + 1)  # the downsampler's output has the next size
    return depths


def _stretched(curve: tuple[float, ...], count: int) -> tuple[float, ...]:
    """`curve` read at `count` even places from its first to its last value, linearly between its points."""
    places = (i * (len(curve) - 1) / max(1, count - 1) for i in range(count))
    return tuple(
        curve[int(at)] + (curve[min(int(at) + 1, len(curve) - 1)] - curve[int(at)]) * (at - int(at)) for at in places
    )


def _numbers(field: str, text: str, count: int) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise BadRequestError(
            field, f"{text[:80]!r} is neither a preset ({', '.join(PRESETS)}) nor numbers separated by commas"
        ) from None
    if len(values) not in (count, count + 1) or not all(map(math.isfinite, values)):
        raise BadRequestError(
            field,
            f"{len(values)} numbers; these models have {count} blocks: write {count} finite numbers, "
            f"or {count + 1} with the base weight first",
        )
    return values
