"""Recognises the files of IP-Adapter by the names and shapes of their tensors. It needs no torch.

A file has two parts: `image_proj` makes tokens of what an image encoder sees, `ip_adapter` makes keys and values of
them for each cross attention.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from webui.extension_api import UnusableFileError

Kind = Literal["standard", "resampler", "full", "face", "face_plus", "instant"]
Shapes = Mapping[str, tuple[int, ...]]
FACE_KINDS = ("face", "face_plus", "instant")
FACE_WIDTH = 512  # of ArcFace
_PARTS = ("image_proj", "ip_adapter", "adapter_modules")
_LAYER = re.compile(r"(\d+)\.to_[kv]_ip\.weight")
_LORA = re.compile(r"(\d+)\.to_(q|k|v|out)_lora\.(down|up)\.weight")


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """A recognised file.

    Attributes:
        projection, layers: by the plain name, the name in the file; those of `layers` without LoRAs.
        loras: by the plain name, the name in the file, of the low-rank part of FaceID.
        width: X, channels of the tokens, as many as those of the text.
        sees: channels of what the projection reads of an image encoder; 0 where it reads a face alone.
        tokens: how many it makes of a picture; 0: as many as the encoder has.
        shortcut: FaceID plus v2, whose face counts beside what the encoder sees.
        is_raw: reads an embedding of a face as it is; others want it of length 1.
    """

    kind: Kind
    projection: Mapping[str, str]
    layers: Mapping[str, str]
    loras: Mapping[str, str]
    width: int
    sees: int
    tokens: int
    shortcut: bool
    is_raw: bool

    @property
    def reads_face(self) -> bool:
        return self.kind in FACE_KINDS


def is_adapter(names: "Mapping[str, object]") -> bool:
    """Whether these are the names of tensors of such a file."""
    return any(name.startswith(("ip_adapter.", "adapter_modules.", "image_proj.")) for name in names)


def recognise(shapes: Shapes, name: str) -> AdapterShape:
    """Recognise a file.

    Args:
        name: of the file; FaceID plus and plus v2 differ in it alone.

    Raises:
        UnusableFileError: it is no IP-Adapter, or of a kind that is not supported.
    """
    parts = _parts(shapes)
    projection, rest = parts["image_proj"], parts["ip_adapter"] | parts["adapter_modules"]
    layers = {plain: key for plain, key in rest.items() if _LAYER.fullmatch(plain)}
    loras = {plain: key for plain, key in rest.items() if _LORA.fullmatch(plain)}
    if any(plain.startswith(("body.", "mapping_")) for plain in projection):
        raise UnusableFileError(f"{name}: PuLID, which needs EVA-CLIP and is not supported; IP-Adapter and FaceID are")
    if not projection or "1.to_k_ip.weight" not in layers:
        raise UnusableFileError(f"{name}: no IP-Adapter among its tensors (image_proj, ip_adapter)")
    width = shapes[layers["1.to_k_ip.weight"]][1]
    kind, sees, tokens = _kind({plain: shapes[key] for plain, key in projection.items()}, width, name)
    stem = name.lower()
    return AdapterShape(
        kind, projection, layers, loras, width, sees, tokens,
        shortcut=kind == "face_plus" and ("plusv2" in stem or "plus_v2" in stem or "v2" in stem),
        is_raw=kind == "instant" or "unnorm" in stem,
    )  # fmt: skip


def _parts(shapes: Shapes) -> dict[str, dict[str, str]]:
    parts: dict[str, dict[str, str]] = {part: {} for part in _PARTS}
    for key in shapes:
        part, _, plain = key.partition(".")
        if part in parts:
            parts[part][plain] = key
    return parts


def _kind(shapes: Shapes, width: int, name: str) -> tuple[Kind, int, int]:
    """The kind, what it sees of an encoder, and how many tokens it makes."""
    if "latents" in shapes:
        seen = shapes["proj_in.weight"][1]
        is_face = seen == FACE_WIDTH
        return ("instant", 0, shapes["latents"][1]) if is_face else ("resampler", seen, shapes["latents"][1])
    if "perceiver_resampler.proj_in.weight" in shapes:
        return "face_plus", shapes["perceiver_resampler.proj_in.weight"][1], shapes["proj.2.weight"][0] // width
    if "proj.3.weight" in shapes:
        return "full", shapes["proj.0.weight"][1], 0
    if "proj.2.weight" in shapes:
        return "face", 0, shapes["proj.2.weight"][0] // width
    if "proj.weight" in shapes:
        return "standard", shapes["proj.weight"][1], shapes["proj.weight"][0] // width
    raise UnusableFileError(
        f"{name}: an IP-Adapter of a kind that is not known; its image_proj has {sorted(shapes)[:5]}"
    )
