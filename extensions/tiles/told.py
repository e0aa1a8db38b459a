"""How A1111's clients and infotexts speak of tiles: arguments by position, and one key that holds an object."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from webui.extension_api import Dialect, Entries, Word

from .options import Region, TilesOptions

KEY = "Tiled Diffusion"
ARGUMENTS = (
    "enabled", "method", "overwrite_size", "keep_input_size", "image_width", "image_height", "tile_width",
    "tile_height", "overlap", "tile_batch_size", "upscaler", "scale_factor", "noise_inversion", "", "", "", "", "",
    "region_control", "draw_background", "",
)  # fmt: skip
READ: Mapping[str, str] = MappingProxyType(
    {
        "Method": "method",
        "Tile tile width": "tile_width",
        "Tile tile height": "tile_height",
        "Tile Overlap": "overlap",
        "Tile batch size": "tile_batch_size",
        "Upscaler": "upscaler",
        "Upscale factor": "scale_factor",
        "NoiseInv": "noise_inversion",
        "Region control": "regions",
    }
)
OF_REGION = ("enabled", "x", "y", "w", "h", "prompt", "neg_prompt", "blend_mode", "feather_ratio", "seed")


def dialect_of_tiles() -> Dialect:
    """The numbers of noise inversion, where control images are kept, and causal layers go nowhere."""
    return Dialect(
        infotext=(
            Word(name=KEY, asks=True, codec="object", keys={**READ}),
            Word(name=f"{KEY} upscaler"),  # said again by the object
            Word(name=f"{KEY} scale factor"),
        ),
        script_names=(KEY,),
        script_args=ARGUMENTS,
        script_entries=Entries(option="regions", args=OF_REGION),
    )


def fields_of(options: TilesOptions, *, enlarges: bool, is_img2img: bool, acts: bool) -> Mapping[str, Any]:
    """What infotexts tell.

    Args:
        enlarges: whether an upscaler made the picture larger.
        acts: whether there was more than one tile, or a region.
    """
    told: dict[str, Any] = {}
    if enlarges:
        told |= {f"{KEY} upscaler": options.upscaler, f"{KEY} scale factor": options.scale_factor}
    if not acts:
        return told
    info: dict[str, Any] = {
        "Method": options.method,
        "Tile tile width": options.tile_width,
        "Tile tile height": options.tile_height,
        "Tile Overlap": options.overlap,
        "Tile batch size": options.tile_batch_size,
    }
    if enlarges:
        info |= {"Upscaler": options.upscaler, "Upscale factor": options.scale_factor}
    if is_img2img and options.keep_input_size:
        info["Keep input size"] = True
    if options.acting:
        named = enumerate(options.regions, 1)
        info["Region control"] = {f"Region {number}": _told(one) for number, one in named if one in options.acting}
    return told | {KEY: info}


def _told(region: Region) -> dict[str, Any]:
    values = {name: getattr(region, name) for name in OF_REGION}
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}
    return {("enable" if name == "enabled" else name): value for name, value in rounded.items()}
