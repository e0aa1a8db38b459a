"""Kinds of map that a ControlNet Union tells apart, as A1111 calls them, and the control types that are of a kind."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

UnionType = Literal[
    "OpenPose", "Depth", "Soft Edge", "Hard Edge", "Normal Map", "Segmentation", "Tile", "Inpaint", "Unknown"
]
UNION_TYPES: Mapping[str, int | None] = MappingProxyType(
    {
        "OpenPose": 0,
        "Depth": 1,
        "Soft Edge": 2,
        "Hard Edge": 3,
        "Normal Map": 4,
        "Segmentation": 5,
        "Tile": 6,
        "Inpaint": 7,
        "Unknown": None,
    }
)
_OF_CONTROL_TYPE: Mapping[str, UnionType] = MappingProxyType(
    {
        "OpenPose": "OpenPose",
        "Depth": "Depth",
        "SoftEdge": "Soft Edge",
        "Scribble": "Soft Edge",
        "Canny": "Hard Edge",
        "Lineart": "Hard Edge",
        "MLSD": "Hard Edge",
        "NormalMap": "Normal Map",
        "Segmentation": "Segmentation",
        "Tile": "Tile",
        "Inpaint": "Inpaint",
    }
)


def union_kind(chosen: UnionType, control_types: tuple[str, ...]) -> int | None:
    """The number of the kind: the chosen one, else that of a preprocessor's control types; None: not known."""
    if chosen == "Unknown":
        chosen = next((_OF_CONTROL_TYPE[one] for one in control_types if one in _OF_CONTROL_TYPE), chosen)
    return UNION_TYPES[chosen]
