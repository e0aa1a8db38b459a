"""What the index knows of a picture, as plain data, and which of its parameters pictures are looked for by."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from PIL import Image

from webui.output.metadata import Parameters
from webui.output.parse import tells_of_hires

Kind = Literal["txt2img", "img2img", "inpaint", "upscale", "grid", "other"]
OURS: Final = "webui"
_FOLDERS: tuple[tuple[str, Kind], ...] = (("-grids", "grid"), ("extras-images", "upscale"))
_LORA = re.compile(r"<(?:lora|lyco):([^:<>]{1,200})", re.IGNORECASE)
_MASKED = ("Mask blur", "Masked content", "Inpaint area", "Mask mode")
_VERSIONS = (("webui-", OURS), ("ComfyUI", "ComfyUI"), ("f", "Forge"), ("neo", "Forge Neo"), ("v", "A1111"))
_INFOTEXT = "an infotext"


@dataclass(frozen=True, slots=True)
class Shared:
    """What many pictures have in common.

    Attributes:
        size: `512x768`.
        month: of its file, `2026-11`.
    """

    checkpoint: str = ""
    sampler: str = ""
    scheduler: str = ""
    kind: Kind = "other"
    program: str = ""
    size: str = ""
    month: str = ""


@dataclass(frozen=True, slots=True)
class FileStat:
    """What is known of a file without looking into it as a picture.

    Attributes:
        bytes: its length.
        modified: nanoseconds since the epoch.
        digest: of its length and both its ends; two files with the same one are taken for copies.
    """

    bytes: int
    modified: int
    digest: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Who had a picture made, and in which job; what is not known is empty.

    Attributes:
        pixels: digest of its pixels.
        source: digest of the pixels that it was made from.
    """

    owner: str = ""
    job: str = ""
    position: int = 0
    kind: Kind | None = None
    pixels: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file as it was read.

    Attributes:
        created: seconds since the epoch.
        seed: as digits; the seeds of some programs have 64 bits.
        fault: why it cannot be shown; "" where it can.
    """

    stat: FileStat
    created: float
    width: int = 0
    height: int = 0
    shared: Shared = Shared()
    prompt: str = ""
    negative_prompt: str = ""
    infotext: str = ""
    seed: str = ""
    steps: float | None = None
    cfg_scale: float | None = None
    loras: tuple[str, ...] = ()
    origin: Origin = Origin()
    fault: str = ""


def facts_of(
    found: Parameters, size: tuple[int, int], place: str, stat: FileStat, origin: Origin = Origin()
) -> FileFacts:
    """Facts of a file of which size and parameters are known.

    Args:
        place: below its folder, with slashes; the folders in it tell grids and enlarged pictures.
    """
    fields = found.fields
    created = stat.modified / 1e9
    shared = Shared(
        checkpoint=fields.get("Model", "")[:200],
        sampler=fields.get("Sampler", "")[:80],
        scheduler=fields.get("Schedule type", "")[:80],
        kind=origin.kind or kind_of(place, fields),
        program=OURS if origin.job else program_of(found)[:80],
        size=f"{size[0]}x{size[1]}",
        month=datetime.fromtimestamp(created).strftime("%Y-%m"),
    )
    prompt = fields.get("Prompt", "")
    seed = fields.get("Seed", "")[:40]
    loras = dict.fromkeys(name.strip() for name in _LORA.findall(prompt)[:100])
    return FileFacts(
        stat, created, size[0], size[1], shared, prompt, fields.get("Negative prompt", ""), found.text,
        seed and (seed.lstrip("0") or "0"), _number(fields.get("Steps", "")), _number(fields.get("CFG scale", "")),
        tuple(name for name in loras if name), origin,
    )  # fmt: skip


def kind_of(place: str, fields: Mapping[str, str]) -> Kind:
    """What a picture is, by its folder and by what its parameters tell."""
    for part in place.split("/")[:-1]:
        for ending, kind in _FOLDERS:
            if part.endswith(ending):
                return kind
    if any(key in fields for key in _MASKED):
        return "inpaint"
    if "Denoising strength" in fields and not tells_of_hires(fields):
        return "img2img"
    return "txt2img" if "Steps" in fields or "Seed" in fields else "other"


def program_of(found: Parameters) -> str:
    """The program that made a picture; infotexts tell it by the form of their version."""
    if found.program != _INFOTEXT:
        return found.program
    version = found.fields.get("Version", "")
    return next((name for start, name in _VERSIONS if version.startswith(start)), "A1111")


def pixels_of(image: Image.Image) -> str:
    """Digest of a picture's size and pixels as RGB, by which one is found again that another was made from."""
    plain = image if image.mode == "RGB" else image.convert("RGB")
    digest = hashlib.blake2b(f"{plain.width}x{plain.height}".encode(), digest_size=16)
    digest.update(plain.tobytes())
    return digest.hexdigest()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e9 else None
