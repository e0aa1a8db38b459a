"""Block weights: a factor for each block of the UNet and for the text encoders (LoRA Block Weight of A1111's users).

26 numbers are BASE (the text encoders), IN00 to IN11, M00, OUT00 to OUT11. Fewer name fewer blocks, and the others get
0: 17 those of SD1 that hold attention, 20 and 12 those of SDXL, all of them or those that hold attention.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

INS = tuple(f"IN{number:02}" for number in range(12))
OUTS = tuple(f"OUT{number:02}" for number in range(12))
BLOCKS = ("BASE", *INS, "M00", *OUTS)
_ATTENTION_OF_SD1 = tuple(INS[number] for number in (1, 2, 4, 5, 7, 8))
_ATTENTION_OF_SDXL = tuple(INS[number] for number in (4, 5, 7, 8))
FORMS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        12: ("BASE", *_ATTENTION_OF_SDXL, "M00", *OUTS[:6]),
        17: ("BASE", *_ATTENTION_OF_SD1, "M00", *OUTS[3:]),
        20: ("BASE", *INS[:9], "M00", *OUTS[:9]),
        26: BLOCKS,
    }
)
_PLACE = re.compile(r"(?P<side>input|output)_blocks_(?P<number>\d+)_|(?P<middle>middle_block_)")
_TEXT = ("encoder", "embedders", "transformer_resblocks")


class BlockWeightError(Exception):
    """Block weights cannot be understood; the text says why."""


@dataclass(frozen=True, slots=True)
class Element:
    """A factor for some layers, in the place of their block's.

    Attributes:
        blocks, words: parts of names, of which one must occur (`IN05`, `attn`); "" occurs in all.
        but_blocks, but_words: none may occur instead.
    """

    blocks: tuple[str, ...]
    words: tuple[str, ...]
    ratio: float
    but_blocks: bool = False
    but_words: bool = False

    def holds(self, name: str) -> bool:
        blocks = any(block in name for block in self.blocks)
        words = any(word in name for word in self.words)
        return blocks != self.but_blocks and words != self.but_words


@dataclass(frozen=True, slots=True)
class BlockWeights:
    """Attributes:
    ratios: by block; one that is missing has 0.
    elements: the last one that holds counts.
    """

    ratios: Mapping[str, float]
    elements: tuple[Element, ...] = ()

    def ratio(self, layer: str) -> float:
        """The factor of a layer by A1111's name for it, see `layers.block_names`. Layers outside the blocks have 1."""
        block = block_of(layer)
        ratio = self.ratios.get(block, 0.0) if block else 1.0
        for element in self.elements:
            if element.holds(layer + block):
                ratio = element.ratio
        return ratio

    def key(self) -> tuple[object, ...]:
        """Equal for equal weights."""
        return (tuple(sorted(self.ratios.items())), self.elements)


ALL = BlockWeights(MappingProxyType(dict.fromkeys(BLOCKS, 1.0)))


def block_of(layer: str) -> str:
    """The block that a layer lies in; "" of the few that lie in none."""
    found = _PLACE.search(layer)
    if found is None:
        return "BASE" if any(word in layer for word in _TEXT) else ""
    if found["middle"]:
        return "M00"
    return f"{'IN' if found['side'] == 'input' else 'OUT'}{int(found['number']):02}"


def read_block_weights(
    weights: str, elements: str, presets: Mapping[str, str], element_presets: Mapping[str, str]
) -> BlockWeights:
    """What `lbw=` and `lbwe=` of a tag mean.

    Args:
        weights: the name of a preset, or numbers with commas; "" gives every block 1.
        elements: the name of a preset of elements; "" for none.

    Raises:
        BlockWeightError: neither a preset nor so many numbers as there are forms.
    """
    ratios = _ratios(presets.get(weights, weights), presets) if weights else ALL.ratios
    if elements and elements not in element_presets:
        known = ", ".join(element_presets) or "none"
        raise BlockWeightError(f"lbwe={elements}: there is no such preset; there are: {known}")
    return BlockWeights(ratios, _elements(element_presets[elements]) if elements else ())


def presets_of(text: str) -> Mapping[str, str]:
    """`NAME:numbers`, one a line. Other lines, and those with `#`, say nothing."""
    lines = [line.partition(":") for line in text.splitlines() if ":" in line and "#" not in line]
    return MappingProxyType(
        {name.strip(): values for name, _, values in lines if len(values.split(",")) in FORMS and name.strip()}
    )


def element_presets_of(text: str) -> Mapping[str, str]:
    """`NAME:blocks:words:factor`, one after another with an empty line between; several in one with commas or lines."""
    parts = [part.strip().partition(":") for part in text.replace("\r\n", "\n").split("\n\n") if ":" in part]
    return MappingProxyType({name.strip(): values for name, _, values in parts})


def _ratios(values: str, presets: Mapping[str, str]) -> Mapping[str, float]:
    parts = [part.strip() for part in values.split(",")]
    form = FORMS.get(len(parts))
    if form is None:
        known = ", ".join(presets) or "none"
        raise BlockWeightError(
            f"lbw={values[:60]}: neither a preset nor 12, 17, 20 or 26 numbers; the presets are: {known}"
        )
    return MappingProxyType({block: _number(part) for block, part in zip(form, parts, strict=True)})


def _elements(text: str) -> tuple[Element, ...]:
    found = []
    for part in text.replace("\n", ",").split(","):
        if part.count(":") == 2:
            blocks, words, ratio = (one.strip() for one in part.split(":"))
            but_blocks, names = _negated(blocks)
            but_words, occurring = _negated(words)
            expanded = tuple(one for name in names for one in _range(name))
            found.append(Element(expanded, occurring, _number(ratio), but_blocks, but_words))
    return tuple(found)


def _negated(text: str) -> tuple[bool, tuple[str, ...]]:
    parts = tuple(text.split(" "))
    return (True, parts[1:]) if parts[0] == "NOT" else (False, parts)


def _range(name: str) -> tuple[str, ...]:
    """`IN05-OUT05` as the blocks from one to the other, in either order."""
    first, dash, last = name.partition("-")
    if not dash:
        return (name,)
    if first not in BLOCKS or last not in BLOCKS:
        raise BlockWeightError(f"{name} is no range of blocks; write for example IN05-OUT05")
    low, high = sorted((BLOCKS.index(first), BLOCKS.index(last)))
    return BLOCKS[low : high + 1]


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BlockWeightError(f"the block weight {text[:20]!r} is not a number (chance, R and U, is not supported)")
    return number
