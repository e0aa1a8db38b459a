"""The weight of a picture in each transformer of a network, as the names that people know for it say.

Numbers of transformers count in the order of execution: SD1 has 16 (0 to 5 in the encoder, 6 in the middle), SDXL 11
(0 to 3, 4). The rules are those of sd-webui-controlnet and ComfyUI_IPAdapter_plus. These are pure functions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

WeightType = Literal[
    "linear", "ease in", "ease out", "ease in-out", "reverse in-out", "weak input", "weak middle", "weak output",
    "strong middle", "style transfer", "composition", "strong style transfer", "style and composition",
    "strong style and composition", "style transfer precise", "composition precise",
]  # fmt: skip
WEIGHT_TYPES: tuple[WeightType, ...] = tuple(get_args(WeightType))
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "normal": "linear",
        "style transfer (SDXL)": "style transfer",
        "composition (SDXL)": "composition",
        "strong style and composition transfer": "strong style and composition",
    }
)
TWO_WEIGHTS: tuple[WeightType, ...] = (
    "style and composition", "strong style and composition", "style transfer precise", "composition precise",
)  # fmt: skip
_XL_COUNT = 11
_WEAK = 0.2  # of the weight in weak parts
_LEAST = 0.05  # of the weight, at the far end of an eased one
_PRECISE = 0.1  # of the weight, in layers where a precise composition only takes away
# by transformer the share of the weight; all others are 0
_STYLE = MappingProxyType(dict.fromkeys((0, 1, 2, 3, 9, 10, 11, 12, 13, 14, 15), 1.0))
_COMPOSITION = MappingProxyType({4: 0.25, 5: 1.0})
_XL_STYLE = MappingProxyType({6: 1.0})
_XL_COMPOSITION = MappingProxyType({3: 1.0})


@dataclass(frozen=True, slots=True)
class LayerWeight:
    """What a picture does in a transformer.

    Attributes:
        weight: the factor on what it adds.
        takes_away: the picture is added to the negative prompt instead of the prompt.
    """

    weight: float
    takes_away: bool = False


def layer_weights(
    kind: WeightType, weight: float, composition: float, count: int, middle: int
) -> tuple[LayerWeight, ...]:
    """The weights of all transformers.

    Args:
        kind: one of `WEIGHT_TYPES`.
        composition: the weight of the composition, for those of `TWO_WEIGHTS`.
        count: how many transformers the network has.
        middle: the number of the one in the middle.
    """
    return tuple(_weight(kind, weight, composition, number, count, middle) for number in range(count))


def _weight(kind: WeightType, weight: float, composition: float, at: int, count: int, middle: int) -> LayerWeight:
    is_xl = count == _XL_COUNT
    style = (_XL_STYLE if is_xl else _STYLE).get(at, 0.0)
    placed = (_XL_COMPOSITION if is_xl else _COMPOSITION).get(at, 0.0)
    match kind:
        case "style transfer":
            return LayerWeight(weight * style)
        case "composition":
            return LayerWeight(weight * placed)
        case "strong style transfer":
            return LayerWeight(0.0 if placed else weight)
        case "style and composition":
            return LayerWeight(composition * placed if placed else weight * style)
        case "strong style and composition":
            return LayerWeight(composition * placed if placed else weight)
        case "style transfer precise":
            return LayerWeight(composition * placed, takes_away=True) if placed else LayerWeight(weight * style)
        case "composition precise":
            if placed:
                return LayerWeight(composition * placed)
            return LayerWeight(weight * (style or _PRECISE), takes_away=True)
    return LayerWeight(weight * _share(kind, at, count, middle))


def _share(kind: WeightType, at: int, count: int, middle: int) -> float:
    distance = abs(at - count / 2) / (count / 2)
    match kind:
        case "ease in":
            return _LEAST + (1 - _LEAST) * (1 - at / count)
        case "ease out":
            return _LEAST + (1 - _LEAST) * at / count
        case "ease in-out":
            return _LEAST + (1 - _LEAST) * (1 - distance)
        case "reverse in-out":
            return _LEAST + (1 - _LEAST) * distance
        case "weak input":
            return _WEAK if at < middle else 1.0
        case "weak middle":
            return _WEAK if at == middle else 1.0
        case "weak output":
            return _WEAK if at > middle else 1.0
        case "strong middle":
            return 1.0 if at == middle else _WEAK
    return 1.0


def given_weights(text: str, weight: float, count: int) -> tuple[LayerWeight, ...]:
    """Weights written by hand.

    Args:
        text: `0.5, 1, ...`, one for each transformer, and `weight` for those behind the last; or `3:1, 6:0.5`, and 0
            for all others.

    Raises:
        ValueError: it is neither, or names a transformer that the network does not have.
    """
    pairs = pairs_of(text)
    if any(at is not None and at >= count for at, _ in pairs):
        raise ValueError(f"the network has the transformers 0 to {count - 1}; {text!r} names another")
    if pairs and pairs[0][0] is None:
        listed = [value for _, value in pairs][:count]
        return tuple(LayerWeight(value) for value in (*listed, *[weight] * (count - len(listed))))
    known = dict(pairs)
    return tuple(LayerWeight(known.get(at, 0.0)) for at in range(count))


def pairs_of(text: str) -> Sequence[tuple[int | None, float]]:
    """The transformers, None where they are counted, and weights of a text. Raises ValueError as `given_weights`."""
    pairs: list[tuple[int | None, float]] = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        at, colon, value = part.rpartition(":")
        try:
            pairs.append((int(at) if colon else None, float(value)))
        except ValueError:
            raise ValueError(f"{part!r} is neither a weight nor a transformer and its weight (3:0.5)") from None
    if len({at is None for at, _ in pairs}) > 1 or any(at is not None and at < 0 for at, _ in pairs):
        raise ValueError(f"{text!r}: either all parts name their transformer (3:0.5), counted from 0, or none does")
    return pairs
