"""A batch: one request for each of many pictures. A1111's "Batch" of img2img and of Extras.

The pictures are opened one after another, when it is their turn. Seeds are drawn once, so all pictures have the same.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image
from pydantic import ValidationError

from webui.domain.batch import BatchOptions, Taken
from webui.domain.catalog import may_be_sampler, split_combined
from webui.domain.errors import BadRequestError
from webui.domain.fields import rounded_side
from webui.domain.images import Picture, safe_open
from webui.domain.inpainting import Inpainting
from webui.domain.masks import Mask
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.upscale import Upscale
from webui.output.metadata import read_text
from webui.output.parse import parse, read_fields

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".gif", ".bmp")
MOST_PICTURES = 10_000
UNNAMED = "batch"  # the folder of results whose pictures were in none

# the key of an infotext that tells a field
_KEYS: Mapping[Taken, str] = MappingProxyType(
    {
        "prompt": "Prompt",
        "negative_prompt": "Negative prompt",
        "seed": "Seed",
        "cfg_scale": "CFG scale",
        "sampler": "Sampler",
        "steps": "Steps",
        "checkpoint": "Model hash",
    }
)
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A picture on disk, or as the bytes of its file.

    Attributes:
        name: of its file.
    """

    name: str
    file: Path | bytes

    @property
    def stem(self) -> str:
        return Path(self.name).stem


@dataclass(frozen=True, slots=True)
class BatchPicture:
    """One picture of a batch.

    Attributes:
        name: what its result is called, without an ending.
        mask: which parts of it may change; None: the whole.
        info: the picture whose parameters are taken; None: none.
    """

    name: str
    source: BatchFile
    mask: BatchFile | None = None
    info: BatchFile | None = None


def files_in(folder: Path) -> tuple[tuple[BatchFile, ...], tuple[str, ...]]:
    """The pictures that lie in a folder itself, in the order in which people count; then what was left out, as links.

    Raises:
        BadRequestError: field `folder`: it cannot be read, or holds too many.
    """
    try:
        pictures = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS]
        links = sorted(path.name for path in pictures if path.is_symlink())
        files = [path for path in pictures if not path.is_symlink() and path.is_file()]
    except OSError as error:
        raise BadRequestError("folder", f"{folder} cannot be read: {error.strerror}") from None
    if len(files) > MOST_PICTURES:
        raise BadRequestError("folder", f"{folder} has {len(files)} pictures; at most {MOST_PICTURES} are taken")
    return tuple(BatchFile(path.name, path) for path in sorted(files, key=lambda one: _as_counted(one.name))), (
        tuple(links)
    )


def paired(
    sources: Sequence[BatchFile], masks: Sequence[BatchFile], infos: Sequence[BatchFile] | None
) -> tuple[tuple[BatchPicture, ...], tuple[str, ...]]:
    """The pictures with what belongs to them, and the names of those that are left out as they have no mask.

    Args:
        masks: none, one for all, or one for each by its name.
        infos: whose parameters are taken, by their names; None: the pictures' own.
    """
    mask_of = {one.stem: one for one in masks}
    info_of = {one.stem: one for one in (infos or ())}
    stems = [one.stem for one in sources]
    found, maskless = [], []
    for source in sources:
        mask = masks[0] if len(masks) == 1 else mask_of.get(source.stem)
        if masks and mask is None:
            maskless.append(source.name)
            continue
        name = source.stem if stems.count(source.stem) == 1 else source.name.replace(".", "_")
        info = source if infos is None else info_of.get(source.stem)
        found.append(BatchPicture(name, source, mask, info))
    return tuple(found), tuple(maskless)


def request_of(
    picture: BatchPicture, template: GenerationRequest, options: BatchOptions
) -> tuple[GenerationRequest, tuple[str, ...]]:
    """The template with this picture in it, and what could not be done as was asked for.

    Args:
        template: of img2img or of enlarging; the picture in it stands in for this one.

    Raises:
        BadRequestError: the picture or its mask cannot be opened, or the request cannot be made of them.
    """
    opened = _opened(picture.source)
    told: list[str] = []
    try:
        if isinstance(template.task, Upscale):
            one = {"images": (Picture.of(opened, clear=True),), "infotexts": (read_text(opened),)}
            return template.with_(task=Upscale.model_validate({**dict(template.task), **one})), ()
        if not isinstance(template.task, Img2Img):
            raise BadRequestError("task", "a batch is of img2img or of enlarging")
        start = Picture.of(opened)
        task: dict[str, Any] = {**dict(template.task), "image": start, "further_images": ()}
        if picture.mask is not None:
            mask = Mask.of(_opened(picture.mask))
            known = dict(template.task.inpainting) if template.task.inpainting else {}
            task["inpainting"] = Inpainting.model_validate({**known, "mask": mask})
        changes: dict[str, Any] = {"task": Img2Img.model_validate(task)}
        if options.own_size:
            changes |= {"width": rounded_side(start.width), "height": rounded_side(start.height)}
        if options.take:
            taken, told = _taken(picture.info, template, options.take)
            changes |= taken
        return template.with_(**changes), tuple(told)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "request"
        raise BadRequestError(field, first["msg"].removeprefix("Value error, ")) from None
    except ValueError as error:
        raise BadRequestError("image", str(error)) from None


def _opened(one: BatchFile) -> Image.Image:
    return safe_open(one.file)


def _taken(
    info: BatchFile | None, template: GenerationRequest, wanted: Iterable[Taken]
) -> tuple[dict[str, Any], list[str]]:
    """What the parameters of a picture say of these fields; prompts stand behind those of the template."""
    if info is None:
        return {}, ["there is no picture of this name to take parameters from"]
    text = read_text(_opened(info))
    if not text:
        return {}, [f"{info.name} has no generation parameters"]
    fields = parse(text)
    read = read_fields({key: value for key, value in fields.items() if key != "Lora hashes"}).request
    found: dict[str, Any] = {}
    for name in wanted:
        if not fields.get(_KEYS[name]):
            continue
        value = getattr(read, name)
        if name == "sampler" and may_be_sampler(label := split_combined(fields[_KEYS[name]])[0]):
            value = label  # one of an extension, too; one that nobody has fails that picture
        if name in ("prompt", "negative_prompt"):
            value = " ".join(part for part in (getattr(template, name), value) if part)
        found[name] = value
    return found, []


def _as_counted(name: str) -> tuple[tuple[int, int | str], ...]:
    """Orders `a2` before `a10`."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part.lower()) for part in _DIGITS.split(name) if part)
